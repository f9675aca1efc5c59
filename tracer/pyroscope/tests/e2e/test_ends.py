# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that end without a word to the profiler, or in a way that others
arrange for them: containers, service managers, languages with a run time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from captures import Captures
from pipelines import ENDLESS

HERE = Path(__file__).resolve().parent


def covered(profiles):
    """The time that the profiles cover, s."""
    return sum(p.duration_nanos for p in profiles) / 1e9


def of_process(captures, pid):
    """The profiles of one process: its id is in the files' names."""
    return [
        profile
        for path, profile in zip(captures.files, captures.profiles)
        if path.name.split("-")[-2] == str(pid)
    ]


def expect_touching(profiles):
    """One begins when the one before it ended."""
    for before, after in zip(profiles, profiles[1:]):
        end = before.time_nanos + before.duration_nanos
        assert abs(after.time_nanos - end) < 1e5, (before.time_nanos, after.time_nanos)


@pytest.fixture(scope="module")
def go_program(tmp_path_factory):
    program = tmp_path_factory.mktemp("go") / "returns_from_main"
    subprocess.run(
        ["go", "build", "-o", program, HERE / "returns_from_main.go"],
        check=True,
        env={**os.environ, "CGO_ENABLED": "1", "GOFLAGS": ""},
        timeout=300,
    )
    return program


def test_a_go_program_that_returns_from_main_has_delivered_most(launcher, go_program):
    # It works for 5 s; intervals end after 1 and 3 s, and when it is at rest.
    # What that last one brings is a race with the end of the process.
    run = launcher.run(ENDLESS, command=(str(go_program), "5"))
    assert run.status == 0 and run.messages == []
    assert covered(run.captures.profiles) >= 2.9
    expect_touching(run.captures.profiles)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_pythons_multiprocessing_deliver(launcher, method):
    run = launcher.run(
        f"{HERE / 'plays_in_children.py'} {method} 3", command=(sys.executable,)
    )
    words = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert run.status == 0 and run.messages == []
    assert words["statuses"] == f"0 {-signal.SIGTERM}"
    returned = of_process(run.captures, words["returns"])
    terminated = of_process(run.captures, words["terminated"])
    assert covered(returned) >= 0.9
    assert covered(terminated) >= 2.5
    expect_touching(terminated)


def test_a_service_manager_stops_all_of_it(launcher):
    # systemd sends SIGTERM to each process of the unit, and SIGCONT after it.
    # The shell waits for its child, and both end by the signal.
    script = 'gst-launch-1.0 "$@" & trap "wait; exit 5" TERM; wait; exit 6'
    running = launcher.start(ENDLESS, command=("sh", "-c", script, "sh"))
    running.until(lambda: "Setting pipeline to PLAYING" in running.stdout, "PLAYING")
    time.sleep(2)
    for number in signal.SIGTERM, signal.SIGCONT:
        os.killpg(running.pid, number)
    run = running.wait(launcher.captures)
    assert run.status == 5 and run.messages == []
    assert covered(run.captures.profiles) > 1.5
    expect_touching(run.captures.profiles)


def children_of(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def test_the_first_process_of_a_container_delivers_and_lives_on(launcher):
    # The kernel gives that process no default action: `docker stop` sends
    # SIGTERM, which it does not end by, and SIGKILL ten seconds later.
    unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no process namespaces for this user")
    running = launcher.start(
        ENDLESS, command=(*unshare, "--mount-proc", "gst-launch-1.0")
    )
    running.until(lambda: "Setting pipeline to PLAYING" in running.stdout, "PLAYING")
    time.sleep(2)
    (first,) = children_of(running.pid)
    os.kill(first, signal.SIGTERM)
    running.until(
        lambda: covered(Captures(launcher.captures).profiles) > 1.5, "the open interval"
    )
    # It is profiled on.
    before = len(Captures(launcher.captures).files)
    running.until(
        lambda: len(Captures(launcher.captures).files) > before, "one more capture"
    )
    os.kill(first, signal.SIGKILL)
    run = running.wait(launcher.captures)
    assert run.messages == []
