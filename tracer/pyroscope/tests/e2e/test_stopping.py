# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a process may end, and what is delivered then."""

import signal
import sys
import time
from pathlib import Path

import pytest
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

    cpu = run.captures.total()
    assert cpu > 0
    graph = server.select_merge_stacktraces(
        "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        f'{{service_name="{service}"}}',
        until=lambda g: g.total == cpu,
    )
    assert graph.total == cpu


def test_ctrl_c_with_an_end_of_stream_delivers_everything(launcher):
    running = start_and_play(launcher, "-e " + ENDLESS)
    running.send(signal.SIGINT)
    run = running.wait(launcher.captures)
    assert run.status == 0 and "EOS received" in run.stdout
    assert run.captures.total() > 0


def covered(run):
    """The time that the profiles cover, ns."""
    return sum(p.duration_nanos for p in run.captures.profiles)


def test_sigterm_delivers_the_open_interval(launcher, server, service):
    # gst-launch-1.0 has no handler for SIGTERM: the default action counts.
    running = start_and_play(
        launcher, seconds=2, server_url=server.url, tracer_name=service
    )
    running.send(signal.SIGTERM)
    run = running.wait(launcher.captures)
    assert run.status == -signal.SIGTERM and run.messages == []
    assert run.captures.others == []
    assert covered(run) > 1.5e9
    graph = server.select_merge_stacktraces(
        "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        f'{{service_name="{service}"}}',
        until=lambda g: g.total == run.captures.total(),
    )
    assert graph.total == run.captures.total()


def test_timeout_ends_it_as_ever(launcher):
    # A shell's, and a service manager's, way to stop a program.
    run = launcher.run(ENDLESS, command=("timeout", "2", "gst-launch-1.0"))
    assert run.status == 124 and run.messages == []
    assert covered(run) > 1.2e9


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_by_a_signal_is_bounded(launcher, listen, number):
    host, port = listen().getsockname()
    running = start_and_play(
        launcher,
        server_url=f"http://{host}:{port}",
        stop_timeout=3,
    )
    begin = time.monotonic()
    running.send(number)
    run = running.wait(launcher.captures)
    assert time.monotonic() - begin < 3 + 2.0
    # gst-launch-1.0 has a handler of its own for SIGINT.
    assert run.status == (-signal.SIGTERM if number == signal.SIGTERM else 0)
    assert run.captures.total() > 0


def test_a_second_sigterm_ends_it_at_once(launcher, listen):
    host, port = listen().getsockname()
    running = start_and_play(
        launcher, server_url=f"http://{host}:{port}", stop_timeout=60
    )
    running.send(signal.SIGTERM)
    running.until(lambda: Captures(launcher.captures).files, "the capture")
    time.sleep(0.6)
    begin = time.monotonic()
    running.send(signal.SIGTERM)
    run = running.wait(launcher.captures, timeout=20)
    assert time.monotonic() - begin < 2
    assert run.status == -signal.SIGTERM
    assert run.captures.total() > 0


def test_a_second_sigterm_ends_a_program_that_only_waits(launcher, listen):
    # Its one thread is held where the first signal found it.
    host, port = listen().getsockname()
    running = launcher.start(
        str(Path(__file__).parent / "waits_in_pause.py"),
        command=(sys.executable,),
        server_url=f"http://{host}:{port}",
        stop_timeout=60,
    )
    running.until(lambda: "waits" in running.stdout, "the wait")
    running.send(signal.SIGTERM)
    running.until(lambda: Captures(launcher.captures).files, "the capture")
    time.sleep(0.6)
    begin = time.monotonic()
    running.send(signal.SIGTERM)
    run = running.wait(launcher.captures, timeout=20)
    assert time.monotonic() - begin < 2
    assert run.status == -signal.SIGTERM and "goes on" not in run.stdout


def test_an_ignored_signal_stays_ignored(launcher):
    # nohup's like: who ignores SIGTERM hands that down.
    running = start_and_play(
        launcher,
        ENDLESS,
        command=("sh", "-c", "trap '' TERM; exec gst-launch-1.0 \"$@\"", "sh"),
    )
    running.send(signal.SIGTERM)
    time.sleep(0.5)
    running.send(signal.SIGINT)
    run = running.wait(launcher.captures)
    assert run.status == 0 and "Interrupt: Stopping pipeline" in run.stdout


def test_the_first_intervals_are_short(launcher):
    # A program that ends without a word, by SIGKILL here, has delivered most.
    running = start_and_play(launcher, seconds=0)
    running.until(lambda: len(Captures(launcher.captures).files) >= 2, "2 captures")
    running.send(signal.SIGKILL)
    run = running.wait(launcher.captures)
    durations = [p.duration_nanos / 1e9 for p in run.captures.profiles]
    assert abs(durations[0] - 1) < 0.5 and abs(durations[1] - 2) < 0.5
    # They touch.
    first, second = run.captures.profiles[:2]
    end = first.time_nanos + first.duration_nanos
    assert abs(second.time_nanos - end) < 1e5


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
    assert run.captures.files and run.captures.others == []
