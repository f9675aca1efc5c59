# SPDX-License-Identifier: LGPL-2.1-or-later
"""The plugin among GStreamer's tools and other tracers: where nothing is to be
profiled it does nothing."""

import re
import subprocess

import launcher as launching
import pytest
from launcher import environment
from pipelines import two_threads


def gst_inspect(*arguments, **env):
    return subprocess.run(
        ["gst-inspect-1.0", *arguments],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_gst_inspect_documents_the_tracer():
    done = gst_inspect("pyroscope")
    assert done.returncode == 0 and done.stderr == ""
    assert "Name                     pyroscope\n" in done.stdout
    assert "License                  LGPL" in done.stdout
    plugin = gst_inspect("pyroscopetracer")
    assert plugin.returncode == 0 and plugin.stderr == ""
    assert "pyroscope" in plugin.stdout


@pytest.mark.parametrize("asked", ["pyroscope", "videotestsrc"])
def test_gst_inspect_starts_nothing(listen, tmp_path, asked):
    # Not even where the tracer is switched on.
    server = listen()
    server.setblocking(False)
    captures = tmp_path / "captures"
    done = gst_inspect(
        asked,
        GST_TRACERS=launching.tracer(
            server_url="http://{}:{}".format(*server.getsockname()),
            output_dir=captures,
        ),
        GST_DEBUG="pyroscope:9",
    )
    assert done.returncode == 0
    assert "started: " not in done.stderr
    assert not captures.exists()
    with pytest.raises(BlockingIOError):
        server.accept()


def test_the_plugin_scanner_finds_it_without_a_word(tmp_path):
    env = {
        "GST_REGISTRY": str(tmp_path / "registry"),
        "GST_REGISTRY_1_0": str(tmp_path / "registry"),
        # Others' plugins may have something to say.
        "GST_PLUGIN_SYSTEM_PATH": "",
        "GST_PLUGIN_SYSTEM_PATH_1_0": "",
        "GST_PLUGIN_PATH_1_0": environment()["GST_PLUGIN_PATH"],
        "GST_TRACERS": "pyroscope",
    }
    done = gst_inspect("pyroscope", **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "registry").exists()


def test_a_pipeline_that_never_plays_is_not_profiled(launcher):
    run = launcher.run("nosuchelement ! fakesink")
    assert run.status != 0 and run.messages == []
    assert not launcher.captures.exists()


@pytest.mark.parametrize("second", ["pyroscope(sample-rate=50)", "pyroscope"])
def test_the_first_of_two_counts(launcher, second):
    settings = {"server_url": "", "output_dir": launcher.captures}
    first = launching.tracer(sample_rate=200, **settings)
    run = launcher.run(
        two_threads(100), tracers=f"{first};{second}", env={"GST_DEBUG": "pyroscope:4"}
    )
    assert run.status == 0
    assert "a process has one profiler" in run.log_line("WARN")
    run.log_line("started: ")
    assert run.captures.files
    assert run.captures.comment("sampler.rate") == "200"


OTHERS = ["stats", "latency(flags=pipeline+element)", "leaks", "rusage"]


@pytest.mark.parametrize("place", ["first", "last"])
def test_other_tracers_work_beside_it(launcher, place):
    settings = {"server_url": "", "output_dir": launcher.captures}
    ours = launching.tracer(**settings)
    tracers = [ours, *OTHERS] if place == "first" else [*OTHERS, ours]
    run = launcher.run(
        two_threads(100),
        tracers=";".join(tracers),
        env={"GST_DEBUG": "GST_TRACER:7,pyroscope:4"},
    )
    assert run.status == 0 and "WARN" not in run.stderr
    assert " element-latency, " in run.stderr  # latency's records
    assert " buffer, " in run.stderr  # stats'
    assert " thread-rusage, " in run.stderr
    leaks = re.findall(r"object-alive, type-name=\(string\)(?!%).*", run.stderr)
    assert leaks == []
    run.log_line("stopped: ")
    elements = run.captures.by_label("element")
    with_element = sum(cpu for element, cpu in elements.items() if element)
    assert with_element > 0.9 * run.captures.sampled_ns()


def test_many_processes_share_a_folder(launcher):
    started = [launcher.start(two_threads(40)) for _ in range(4)]
    runs = [running.wait(launcher.captures) for running in started]
    assert [run.status for run in runs] == [0] * 4
    assert [run.messages for run in runs] == [[]] * 4
    files = list(launcher.captures.iterdir())
    assert all(f.name.endswith(".pb.gz") for f in files)
    assert len({f.name.split("-")[-2] for f in files}) == 4


