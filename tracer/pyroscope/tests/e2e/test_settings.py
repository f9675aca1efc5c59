# SPDX-License-Identifier: LGPL-2.1-or-later
"""Settings as users give them: a wrong one is told with its name, its text and
the remedy, and the pipeline runs; secrets are in no output."""

import base64
import json
import re

import pytest
from pipelines import SHORT, two_threads


def check_message(message, *texts):
    assert message.startswith("gst-pyroscope: warning: ")
    for text in texts:
        assert text in message


# Parameters; and for each message what it must name: setting, text, remedy.
WRONG = {
    "sample-rate=abc": [("sample-rate", '"abc"', "allowed: 1 to 1000 Hz", "100")],
    "sample-rate=-5": [("sample-rate", '"-5"', "allowed: 1 to 1000 Hz", "100")],
    "sample-rate=0": [("sample-rate", '"0"', "allowed: 1 to 1000 Hz", "100")],
    "sample-rate=99999999999999999999": [("sample-rate", "999", "1 to 1000 Hz")],
    "server-url=http://x:99999999": [("server-url", '"http://x:99999999"', "HOST")],
    "server-url=ftp://x": [("server-url", '"ftp://x"', "http://HOST")],
    # The text of an unknown name is not told: it may be a secret.
    "servr-url=x": [("servr-url", "did you mean server-url?")],
    "nonsense=1": [("nonsense", "unknown setting")],
    'tags="a,b="': [("tags", '"a"', "NAME=VALUE"), ("tags", '"b="', "b=VALUE")],
    "tags=a,b=": [("tags", '"a"', "NAME=VALUE"), ("tags", '"b="', "b=VALUE")],
    'tags="element=x"': [("tags", "element")],
    "unwinder=best": [("unwinder", '"best"', "auto, tables", "auto")],
    "profiles=cpu,gpu": [("profiles", '"cpu,gpu"', "cpu")],
    "labels=elements": [("labels", '"elements"', "pipeline, path, element")],
    "upload-interval=1h30m": [("upload-interval", '"1h30m"', "1 to 1800 seconds")],
    "stop-agent-on-dispose=maybe": [("stop-agent-on-dispose", '"maybe"', "true")],
    'sample-rate="100': [("sample-rate",)],
}


@pytest.mark.parametrize("params", WRONG, ids=list(WRONG))
def test_a_wrong_value_is_told_and_the_pipeline_runs(launcher, params):
    run = launcher.run(
        two_threads(40),
        tracers=f"pyroscope({params})",
        env={
            "GST_PYROSCOPE_SERVER_URL": "",
            "GST_PYROSCOPE_OUTPUT_DIR": str(launcher.captures),
        },
    )
    assert run.status == 0 and "Got EOS" in run.stdout
    assert run.stderr.splitlines() == run.messages
    assert len(run.messages) == len(WRONG[params])
    for message, texts in zip(run.messages, WRONG[params]):
        check_message(message, *texts)
    assert run.captures.files
    assert run.captures.comment("sampler.rate") == "100"


@pytest.mark.parametrize("name", ["file/below", "file"])
def test_an_output_dir_that_cannot_be_written_is_told(launcher, tmp_path, name):
    # A path below a file: read-only even for root.
    (tmp_path / "file").write_text("")
    place = tmp_path / name
    run = launcher.run(SHORT, output_dir=place)
    assert run.status == 0 and "Got EOS" in run.stdout
    (message,) = run.messages
    check_message(message, f"output-dir={place}", "set output-dir to a directory")
    assert (tmp_path / "file").read_text() == ""


def test_profiles_that_go_nowhere_are_told(launcher):
    run = launcher.run(SHORT, output_dir="")
    assert run.status == 0
    (message,) = run.messages
    check_message(message, "go nowhere", "server-url", "output-dir")


def test_settings_come_from_the_environment(launcher):
    run = launcher.run(
        two_threads(100),
        tracers="pyroscope",
        env={
            "GST_PYROSCOPE_SERVER_URL": "",
            "GST_PYROSCOPE_OUTPUT_DIR": str(launcher.captures),
            "GST_PYROSCOPE_TRACER_NAME": "from the environment; (yes)",
            "GST_PYROSCOPE_TAGS": 'where="here, there"',
            "GST_PYROSCOPE_SAMPLE_RATE": "250",
            "GST_PYROSCOPE_LABELS": "element",
        },
    )
    assert run.messages == []
    assert run.captures.series["service_name"] == "from the environment; (yes)"
    assert run.captures.series["where"] == "here, there"
    assert run.captures.comment("sampler.rate") == "250"
    assert run.captures.label_names() == {"element"}


def test_the_agents_names_count_too(launcher):
    run = launcher.run(
        two_threads(100),
        tracers="pyroscope",
        env={
            "PYROSCOPE_SERVER_ADDRESS": "http://example.invalid",
            "GST_PYROSCOPE_SERVER_URL": "",
            "GST_PYROSCOPE_OUTPUT_DIR": str(launcher.captures),
            "PYROSCOPE_APPLICATION_NAME": "agent",
            "PYROSCOPE_LABELS": "a=1,b=2",
            "PYROSCOPE_UPLOAD_INTERVAL": "7s",
            "GST_DEBUG": "pyroscope:4",
        },
    )
    assert "WARN" not in run.stderr
    assert "7 s a profile, not pushed" in run.log_line("started: ")
    series = run.captures.series
    assert (series["service_name"], series["a"], series["b"]) == ("agent", "1", "2")


def test_a_parameter_wins_over_the_environment_and_ours_over_the_agents(launcher):
    names = {
        "GST_PYROSCOPE_TRACER_NAME": "ours",
        "PYROSCOPE_APPLICATION_NAME": "agents",
    }
    run = launcher.run(two_threads(40), tracer_name="parameter", env=names)
    assert run.captures.series["service_name"] == "parameter"
    for file in run.captures.files:
        file.unlink()
    run = launcher.run(two_threads(40), env=names)
    assert run.captures.series["service_name"] == "ours"


def test_a_wrong_value_leaves_it_to_the_next_source(launcher):
    run = launcher.run(
        two_threads(40),
        sample_rate="often",
        env={"GST_PYROSCOPE_SAMPLE_RATE": "200"},
    )
    (message,) = run.messages
    check_message(message, '"often"', "200 (GST_PYROSCOPE_SAMPLE_RATE)")
    assert run.captures.comment("sampler.rate") == "200"


def test_an_unknown_name_in_the_environment_is_told(launcher):
    run = launcher.run(SHORT, env={"GST_PYROSCOPE_SAMPLERATE": "200"})
    (message,) = run.messages
    check_message(message, "GST_PYROSCOPE_SAMPLERATE", "sample-rate")


# Each secret, and how the server gets it.
SECRETS = {
    "token": {
        "AUTH_TOKEN": "s3cr3t-token",
        "TENANT_ID": "s3cr3t-tenant",
        "HTTP_HEADERS": '{"X-Extra": "s3cr3t-header"}',
    },
    "basic": {
        "BASIC_AUTH_USER": "s3cr3t-user",
        "BASIC_AUTH_PASSWORD": "s3cr3t-password",
    },
}
SENT = {
    "token": {
        "Authorization": "Bearer s3cr3t-token",
        "X-Scope-Orgid": "s3cr3t-tenant",
        "X-Extra": "s3cr3t-header",
    },
    "basic": {
        "Authorization": "Basic "
        + base64.b64encode(b"s3cr3t-user:s3cr3t-password").decode()
    },
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("prefix", ["GST_PYROSCOPE_", "PYROSCOPE_"])
def test_secrets_reach_the_server_and_nothing_else(
    launcher, own_server, tmp_path, kind, prefix
):
    record = tmp_path / "pushed"
    server = own_server("-record", str(record))
    run = launcher.run(
        "videotestsrc num-buffers=20 ! fakesink",
        server_url=server.url,
        env={
            "GST_DEBUG": "*:6,pyroscope:9",
            **{prefix + name: value for name, value in SECRETS[kind].items()},
        },
    )
    pushes = [json.loads(p.read_text()) for p in record.glob("*.json")]
    assert pushes and all(about["accepted"] for about in pushes)
    for about in pushes:
        headers = {k.title(): v for k, v in about["headers"].items()}
        assert SENT[kind].items() <= headers.items()

    assert run.status == 0 and "started: " in run.stderr
    encoded = base64.b64encode(b"s3cr3t").decode().rstrip("=")[:-1]
    for output in run.stdout, run.stderr, *map(repr, run.captures.profiles):
        assert "s3cr3t" not in output and encoded not in output


def test_secrets_in_wrong_values_are_not_told(launcher):
    run = launcher.run(
        SHORT,
        tracers='pyroscope(auth-token="s3cr3t one",auth-tokn=s3cr3t-two,'
        "http-headers=s3cr3t-three,"
        'server-url="http://me:s3cr3t-four@127.0.0.1:9/?k=s3cr3t-five")',
        env={"GST_DEBUG": "pyroscope:9", "GST_PYROSCOPE_AUTHTOKEN": "s3cr3t-six"},
    )
    assert run.status == 0
    for name in ("auth-token", "auth-tokn", "http-headers", "127.0.0.1:9"):
        assert name in run.stderr
    assert "GST_PYROSCOPE_AUTHTOKEN" in run.stderr
    assert re.search("s3cr3t", run.stderr) is None
