# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pipeline is profiled, pushed and queried back. The captures of the same
run say what has to be there. With PYROSCOPE_URL: on that server."""

import json
import platform
import re
import socket

import pprof_reader
import pytest
from launcher import inspect
from pipelines import SHORT, TWO_THREADS_BUSY, two_threads
from pyroscope_client import CPU, SAMPLES

# As the first tracer's README gave it.
README_LINE = (
    "pyroscope(server-url=http://localhost:4040,tracer-name=gst.pyroscope,"
    'sample-rate=100,stop-agent-on-dispose=true,tags="k1=v1")'
)
README_DEBUG = "GST_TRACER:5,pyroscope:6"
README_PORT = 4040

SAMPLE_LABELS = ["pipeline", "path", "element", "factory", "thread", "attribution"]


def select(service, **labels):
    """A selector of series."""
    pairs = {"service_name": service, **labels}
    return "{" + ", ".join(f'{k}="{v}"' for k, v in pairs.items()) + "}"


def total(server, profile_type, selector, expected):
    """The server's total, once it is what is expected or waiting is no use."""
    graph = server.select_merge_stacktraces(
        profile_type, selector, until=lambda g: g.total == expected
    )
    return graph.total


def test_what_is_queried_equals_the_captures(launcher, server, service):
    run = launcher.run(
        two_threads(150, live=True),
        server_url=server.url,
        tracer_name=service,
        upload_interval=1,
    )
    captures = run.captures
    assert run.status == 0 and run.messages == []
    assert len(captures.files) >= 2
    assert captures.total("samples") > 0

    everything = select(service)
    server.compact()
    assert total(server, CPU, everything, captures.total()) == captures.total()
    assert total(server, SAMPLES, everything, -1) == captures.total("samples")

    merged = pprof_reader.read(server.select_merge_profile(CPU, everything))
    assert merged.total("cpu") == captures.total()
    assert merged.by_stack("cpu") == captures.by_stack()

    elements = captures.by_label("element")
    assert TWO_THREADS_BUSY <= elements.keys()
    for label in SAMPLE_LABELS:
        for value, cpu in captures.by_label(label).items():
            selector = select(service, **{label: value})
            assert total(server, CPU, selector, cpu) == cpu, f"{label}={value}"


def test_stacks_by_element_equal_the_captures(launcher, server, service):
    run = launcher.run(two_threads(), server_url=server.url, tracer_name=service)
    profiles = run.captures.profiles
    i = profiles[0].value_index("samples")
    for element in TWO_THREADS_BUSY:
        expected = {}
        for sample in (s for profile in profiles for s in profile.samples):
            if sample.labels.get("element") == element and sample.values[i]:
                stack = sample.stack
                expected[stack] = expected.get(stack, 0) + sample.values[i]
        graph = server.select_merge_stacktraces(
            SAMPLES,
            select(service, element=element),
            until=lambda g: g.total == sum(expected.values()),
        )
        assert expected and graph.stacks == expected


def test_names_that_are_too_long_are_cut_and_remain_two(launcher, server, service):
    # A server refuses a profile for one label above 2048 bytes.
    long = "färben" * 500
    run = launcher.run(
        "videotestsrc num-buffers=200 ! video/x-raw,format=I420,width=640,height=360 ! "
        f"videoconvert name={long}1 ! video/x-raw,format=ARGB64 ! "
        f"videoconvert name={long}2 ! video/x-raw,format=I420 ! fakesink",
        server_url=server.url,
        tracer_name=service,
    )
    assert run.status == 0 and run.messages == []
    by_element = run.captures.by_label("element")
    names = {name for name in by_element if name.startswith("färben")}
    assert len(names) == 2
    assert all(2040 < len(name.encode()) <= 2048 for name in names)
    (summary,) = inspect("summary", launcher.captures)["profiles"]
    stats = {fact["name"]: fact["value"] for fact in summary["stats"]}
    # Two elements, and the two paths to them, in each profile.
    assert 4 <= stats["names.cut"] <= 4 * len(run.captures.files)
    assert total(server, CPU, select(service), run.captures.total()) > 0
    for name in names:
        selector = select(service, element=name)
        assert total(server, CPU, selector, by_element[name]) == by_element[name]


def test_series_say_who_was_profiled(launcher, server, service):
    run = launcher.run(
        two_threads(100),
        server_url=server.url,
        tracer_name=service,
        tags="env=dev,team=video one",
    )
    own = {
        "service_name": service,
        "service": "gst-pyroscope-tracer",
        "version": run.captures.series["version"],
        "os": "linux",
        "arch": platform.machine(),
        "hostname": socket.gethostname(),
        "env": "dev",
        "team": "video one",
    }
    assert re.fullmatch(r"\d+\.\d+\.\d+", own["version"])
    assert run.captures.series == {"__name__": "process_cpu", **own}
    assert {CPU, SAMPLES} <= set(server.profile_types())

    sets = server.series(select(service), label_names=sorted(own))
    assert sets == [own]
    for label in SAMPLE_LABELS:
        known = {v for v in run.captures.by_label(label) if v}
        assert set(server.label_values(label, select(service))) == known

    (pipeline,) = server.label_values("pipeline", select(service))
    assert pipeline == "pipeline0"
    paths = server.label_values("path", select(service))
    assert {f"pipeline0/{e}" for e in TWO_THREADS_BUSY} <= set(paths)
    factories = server.label_values("factory", select(service))
    assert {"videotestsrc", "videoconvert", "videoscale"} <= set(factories)
    kinds = {"exact", "inherited", "library", "none", "unsampled"}
    assert set(server.label_values("attribution", select(service))) <= kinds
    threads = server.label_values("thread", select(service))
    assert "queue0:src" in threads


@pytest.mark.parametrize(
    "wanted", ["element", "factory,thread", "none"], ids=["one", "two", "none"]
)
def test_labels_chooses_the_labels_of_samples(launcher, server, service, wanted):
    run = launcher.run(
        two_threads(100), server_url=server.url, tracer_name=service, labels=wanted
    )
    expected = {w for w in wanted.split(",") if w != "none"}
    assert run.messages == []
    assert run.captures.label_names() == expected
    cpu = run.captures.total()
    assert total(server, CPU, select(service), cpu) == cpu
    assert set(server.label_names(select(service))) & set(SAMPLE_LABELS) == expected


def test_element_frames_puts_the_element_under_the_root(launcher):
    run = launcher.run(two_threads(100), element_frames="true")
    seen = {stack[:2] for stack in run.captures.by_stack()}
    assert {("pipeline0", element) for element in TWO_THREADS_BUSY} <= seen


def in_use(port):
    """Whether anything answers at PORT."""
    for family, address in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
        try:
            with socket.socket(family) as s:
                s.settimeout(2)
                s.connect((address, port))
                return True
        except OSError:
            continue
    return False


def check_readme_line(launcher, server, line):
    run = launcher.run(
        two_threads(),
        tracers=line,
        env={
            "GST_DEBUG": README_DEBUG,
            "GST_PYROSCOPE_OUTPUT_DIR": str(launcher.captures),
        },
    )
    assert run.status == 0
    assert "WARN" not in run.stderr and "ERROR" not in run.stderr

    # Start and target.
    started = run.log_line("started: ")
    url = re.search("server-url=([^,]*)", line).group(1)
    assert 'profiling as "gst.pyroscope" at 100 Hz' in started
    assert f"pushed to {url}" in started and 'tags k1="v1"' in started
    # Totals.
    stopped = run.log_line("stopped: ")
    assert f"{run.captures.counter('stats.samples')} samples" in stopped
    assert re.search(
        r" (\d+) pushed \(0 in parts, 0 requests sent again\), 0 refused, "
        r"0 dropped for size or age, 0 lost, 0 kept in the spool, "
        r"0 sent by another process; \1 captured, 0 not written",
        stopped,
    )
    assert " GST_TRACER " in run.stderr

    selector = select("gst.pyroscope", k1="v1")
    expected = run.captures.total()
    if server.is_real:  # which has what others pushed under this name, too
        assert total(server, CPU, selector, expected) >= expected
    else:
        assert total(server, CPU, selector, expected) == expected
    return run


def test_the_first_tracers_own_line_is_profiled(launcher, own_server):
    if in_use(README_PORT):
        pytest.skip(f"something else listens on port {README_PORT}")
    server = own_server("-listen", f"127.0.0.1:{README_PORT}")
    check_readme_line(launcher, server, README_LINE)


def test_a_line_of_that_form_with_another_server_is_profiled(launcher, server):
    line = README_LINE.replace("http://localhost:4040", server.url)
    check_readme_line(launcher, server, line)


def test_the_server_accepts_every_profile(launcher, own_server, tmp_path):
    record = tmp_path / "pushed"
    server = own_server("-record", str(record), "-base-path", "/some/where")
    run = launcher.run(
        two_threads(210, live=True), server_url=server.url + "/", upload_interval=1
    )
    assert run.messages == []
    about = [json.loads(p.read_text()) for p in sorted(record.glob("*.json"))]
    assert len(about) == len(run.captures.files) >= 3
    assert all(a["accepted"] for a in about)
    pushed = [pprof_reader.read(record / a["file"]) for a in about]
    assert pushed == run.captures.profiles


def test_a_bare_element_and_a_default_setting_are_enough(launcher, own_server):
    # No parameter at all: everything from the environment or by default.
    server = own_server()
    run = launcher.run(
        SHORT,
        tracers="pyroscope",
        env={"PYROSCOPE_SERVER_ADDRESS": server.url},
    )
    assert run.status == 0 and run.messages == []
    assert server.label_values("service_name") == ["gst.pyroscope"]
