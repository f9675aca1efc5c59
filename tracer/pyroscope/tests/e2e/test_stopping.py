# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a process may end, and what is delivered then."""

import signal
import time

from captures import Captures
from pipelines import ENDLESS, two_threads


def start_and_play(launcher, pipeline=ENDLESS, seconds=0.7, **arguments):
    running = launcher.start(pipeline, **arguments)
    running.until(lambda: "Setting pipeline to PLAYING" in running.stdout, "PLAYING")
    time.sleep(seconds)
    return running


def test_ctrl_c_delivers_everything(launcher, server, service):
    running = start_and_play(launcher, server_url=server.url, tracer_name=service)
    running.send(signal.SIGINT)
    run = running.wait(launcher.captures)
    assert run.status == 0 and run.messages == []
    assert "Interrupt: Stopping pipeline" in run.stdout

    (profile,) = run.captures.profiles
    assert profile.total("cpu") > 0
    graph = server.select_merge_stacktraces(
        "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        f'{{service_name="{service}"}}',
        until=lambda g: g.total == profile.total("cpu"),
    )
    assert graph.total == profile.total("cpu")


def test_ctrl_c_with_an_end_of_stream_delivers_everything(launcher):
    running = start_and_play(launcher, "-e " + ENDLESS)
    running.send(signal.SIGINT)
    run = running.wait(launcher.captures)
    assert run.status == 0 and "EOS received" in run.stdout
    assert run.captures.total() > 0


def test_sigterm_keeps_the_intervals_before_it(launcher):
    # gst-launch-1.0 has no handler for SIGTERM: the process ends at once, as it
    # would without a tracer. What is lost is the interval that was not over.
    running = launcher.start(ENDLESS, upload_interval=1)
    running.until(lambda: len(Captures(launcher.captures).files) >= 2, "2 captures")
    running.send(signal.SIGTERM)
    run = running.wait(launcher.captures)
    assert run.status == -signal.SIGTERM
    assert len(run.captures.files) >= 2
    assert run.captures.others == []
    for profile in run.captures.profiles:
        assert profile.total("cpu") > 0
        assert abs(profile.duration_nanos - 1e9) < 0.5e9


def test_a_pipeline_that_fails_is_profiled(launcher):
    pipeline = "videotestsrc ! videoconvert ! identity error-after=200 ! fakesink"
    without = launcher.run(pipeline, tracers="")
    run = launcher.run(pipeline)
    assert run.status == without.status == 1
    assert run.messages == []
    assert "ERROR: from element" in run.stderr and run.captures.total() > 0


def test_a_second_ctrl_c_ends_it_at_once(launcher, listen):
    # While the stop waits for a server that says nothing.
    host, port = listen().getsockname()
    running = start_and_play(
        launcher, server_url=f"http://{host}:{port}", stop_timeout=60
    )
    running.send(signal.SIGINT)
    running.until(lambda: "Freeing pipeline" in running.stdout, "the end")
    running.until(lambda: Captures(launcher.captures).files, "the capture")
    time.sleep(0.3)
    running.send(signal.SIGINT)
    run = running.wait(launcher.captures, timeout=20)
    assert run.status in (0, -signal.SIGINT)
    assert run.captures.total() > 0


def test_stop_agent_on_dispose_false_stops_at_exit(launcher):
    # gst-launch-1.0 disposes of the tracer in gst_deinit(): profiling goes on,
    # and the end of the process delivers what there is.
    run = launcher.run(two_threads(100), stop_agent_on_dispose="false")
    assert run.status == 0 and run.messages == []
    assert len(run.captures.files) == 1 and run.captures.others == []
