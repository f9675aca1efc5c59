#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs applications that are unusual but legal without and with the tracer.

usage: run-hazards.py PROGRAM MODULE [--seconds SECONDS] [CASE...]

PROGRAM CASE DIRECTORY SECONDS is one application, MODULE a library for it to
load. Both runs have to end alike (status, output) and in time; with the tracer
there has to be a capture where one can be expected, and nobody's descriptors
or files may have changed. GST_PLUGIN_PATH names the folder of the tracer.
TAP goes to the standard output.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SKIPPED = 77

# How many captures there have to be at least; where the end of the process, or
# what it is short of, allows none: 0.
CASES = {
    "sigprof-before": 1,
    "sigprof-after": 1,
    "resets-to-default": 1,
    "resets-to-ignore": 1,
    "resets-both-ways": 1,
    "takes-sigurg": 1,
    "chains-forty-times": 1,
    "takes-it-from-busy-threads": 1,
    "urgent-flood": 1,
    "waits-for-all": 1,
    "one-thread-waits": 1,
    "reads-signalfd": 1,
    "jumps-out-of-handlers": 1,
    "clone-without-tls": 1,
    "strict-seccomp": 1,
    "cancels-and-exits": 1,
    "short-lived-threads": 1,
    "smallest-stacks": 1,
    "smallest-alternate-stacks": 1,
    "busy-alternate-stack": 1,
    "starts-in-libraries": 1,
    "allocated-coroutines": 1,
    "mapped-coroutines": 1,
    "generated-code": 1,
    "execute-only-code": 1,
    "below-unmapped-memory": 1,
    "below-protected-memory": 1,
    "clones-on-shrinking-stacks": 1,
    "assembly-coroutines": 1,
    "neighbours-come-and-go": 1,
    "split-stacks": 1,
    "alternate-stacks-come-and-go": 1,
    "generated-code-changes": 1,
    "orcs-code-changes": 1,
    "few-signals": 1,
    "few-descriptors": 1,
    "no-file-growth": 0,
    "no-more-threads": 0,
    "little-address-space": 1,
    "hardly-any-address-space": 0,
    "full-disk": 0,
    "in-a-chroot": 0,
    "another-user": 0,
    "no-proc": 1,
    "not-dumpable": 0,
    "refusing-filter": 0,
    "refusing-filter-later": 0,
    "child-plays": 2,
    "child-quits": 1,
    "child-exits": 1,
    "child-deinits": 1,
    "daemon-plays": 1,
    "makes-children": 1,
    "becomes-another": 0,
    "fork-storm": 1,
    "forks-in-an-interpreter": 1,
    "loads-and-unloads": 1,
    "library-replaced": 1,
    "library-truncated": 1,
    "iterates-modules": 1,
    "changes-environment": 1,
    "closes-descriptors": 1,
    "returns": 1,
    "deinits": 1,
    "deinits-at-exit": 1,
    "aborts": 0,
    "quits-quickly": 0,
    "is-terminated": 1,
    "handles-sigterm": 1,
    "ignores-sigterm": 1,
    "terminates-children": 1,
    "exits-in-stream": 1,
    "exits-in-handler": 1,
    "main-thread-ends": 1,
    "main-thread-ends-later": 1,
    "waits": 1,
    "allocates": 1,
    "throws": 1,
    "starts-and-stops": 1,
    "starts-and-stops-pipelines": 1,
    "reads-masks-back": 1,
    "waits-for-signals": 1,
    "reads-signalfd-later": 1,
    "takes-it-from-workers": 1,
    "workers-make-processes": 1,
    "real-time-first": 1,
    "pinned-first": 1,
    "batch-first": 1,
    "nice-first": 1,
    "urgent-first": 1,
    "deadline-first": 1,
    "bound-process": 1,
}

# What whoever runs the application reads.
REPORTED = {
    "refusing-filter": b"the kernel refuses CPU timers for threads "
    b"(timer_create: Operation not permitted)",
}


class Run:
    """One process of a case and how it ended."""

    def __init__(self, options, case, with_tracer):
        with tempfile.TemporaryDirectory(prefix="hazard-") as directory:
            own, captures = Path(directory, "own"), Path(directory, "captures")
            own.mkdir()
            # Written by a user that has given up its rights, too.
            captures.mkdir()
            if case == "full-disk":
                captures = own
            environment = dict(os.environ, HAZARD_MODULE=options.module)
            environment.pop("GST_TRACERS", None)
            if with_tracer:
                environment["GST_TRACERS"] = (
                    f'pyroscope(server-url="",output-dir="{captures}",'
                    "sample-rate=1000)"
                )
            limit = options.seconds * 3 + 8
            begin = time.monotonic()
            process = subprocess.Popen(
                [options.program, case, str(own), str(options.seconds)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            try:
                self.output, self.errors = process.communicate(timeout=limit)
                self.status = process.returncode
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                self.output, self.errors = process.communicate()
                self.status = f"not ended after {limit:.0f} s"
            self.seconds = time.monotonic() - begin
            self.captures = len(list(captures.glob("*.pb.gz")))

    def describe(self):
        status = self.status
        if isinstance(status, int) and status < 0:
            status = signal.Signals(-status).name
        return f"{status} after {self.seconds:.2f} s, said {self.output!r}"


def judge(options, case):
    """What is wrong with the case, or why it was skipped: (skipped, text)."""
    bare = Run(options, case, False)
    if bare.status == SKIPPED:
        return True, bare.output.decode(errors="replace").strip()
    traced = Run(options, case, True)
    if traced.status == SKIPPED:
        # What it needs was used up by others in between.
        return True, traced.output.decode(errors="replace").strip()
    problems = []
    if (bare.status, bare.output) != (traced.status, traced.output):
        problems.append(
            f"without the tracer: {bare.describe()}; with it: {traced.describe()}"
        )
    if bare.status == 1 or not isinstance(bare.status, int):
        problems.append(f"it fails without the tracer, too: {bare.describe()}")
    if traced.seconds > bare.seconds + 2:
        problems.append(f"{bare.seconds:.2f} s became {traced.seconds:.2f} s")
    if traced.captures < CASES[case]:
        problems.append(f"{traced.captures} captures instead of {CASES[case]}")
    if REPORTED.get(case, b"") not in traced.errors:
        problems.append(f"it does not report {REPORTED[case]!r}")
    if problems and traced.errors:
        problems.append(traced.errors.decode(errors="replace"))
    return False, "\n".join(problems)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("module")
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_intermixed_args()
    cases = options.cases or list(CASES)
    failed = 0
    # The registry of plugins is written before anything is compared.
    Run(options, "returns", False)
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        skipped, text = judge(options, case)
        if skipped:
            print(f"ok {number} {case} # SKIP {text}")
        elif text:
            failed += 1
            print(f"not ok {number} {case}")
            for line in text.splitlines():
                print("# " + line)
        else:
            print(f"ok {number} {case}")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
