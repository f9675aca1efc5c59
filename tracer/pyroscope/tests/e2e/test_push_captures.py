# SPDX-License-Identifier: LGPL-2.1-or-later
"""Captures that are sent later, by gst-pyroscope-inspect push."""

import subprocess

from launcher import INSPECT, environment
from pipelines import two_threads


def push(*arguments):
    done = subprocess.run(
        [INSPECT, "push", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_pushed_later_is_what_the_tracer_would_have_pushed(
    launcher, server, service
):
    run = launcher.run(two_threads(), tracer_name=service, tags="rack=7")
    answer = push("--server-address", server.url, launcher.captures)
    n = len(run.captures.files)
    assert answer.startswith(f"{n} of {n} profiles taken by {server.url}")
    graph = server.select_merge_stacktraces(
        "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        f'{{service_name="{service}",rack="7",element="scale"}}',
        until=lambda g: g.total == run.captures.by_label("element")["scale"],
    )
    assert graph.total == run.captures.by_label("element")["scale"]
    graph = server.select_merge_stacktraces(
        "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        f'{{service_name="{service}"}}',
        until=lambda g: g.total == run.captures.total(),
    )
    assert graph.total == run.captures.total()


def test_captures_go_to_the_service_that_is_asked_for(launcher, server, service):
    run = launcher.run(two_threads(60))
    push("--server-address", server.url, "--tracer-name", service, launcher.captures)
    graph = server.select_merge_stacktraces(
        "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        f'{{service_name="{service}"}}',
        until=lambda g: g.total == run.captures.total(),
    )
    assert graph.total == run.captures.total()
