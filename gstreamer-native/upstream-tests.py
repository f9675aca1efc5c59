#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs GStreamer's own unit tests without our tracer and with it.

usage: upstream-tests.py --build DIR --plugin DIR [--no-fork] [--jobs N]
                         [--seconds N] [--rate HZ] [NAME...]

DIR are meson's build folder of the tests and the folder of our plugin; NAME is
a part of a program's name. A program that passes without the tracer and fails
with it is run again, alone, without and with it, up to three times: only what
comes out the same way each time has failed, the rest is named as not reliable
(some of these programs hang now and then by themselves: their main loops may be
quit before they run). What fails without the tracer, too, is counted as skipped
and named.

Each program is one test; the last line counts them. Exits with 1 if one failed
or none ran.
"""

import argparse
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# No setting of the caller's counts.
FOREIGN = "GST_", "CK_", "PYROSCOPE_", "G_DEBUG", "G_MESSAGES_DEBUG"
LOOKS = 3


class Outcome:
    """How one run of a program ended."""

    def __init__(self, status, seconds, output, captures):
        self.status = status  # exit status, -SIGNAL or "time-out"
        self.seconds = seconds
        self.output = output
        self.captures = captures

    @property
    def passed(self):
        return self.status == 0

    def __str__(self):
        status = self.status
        if isinstance(status, int) and status < 0:
            status = signal.Signals(-status).name
        return f"{'passed' if status == 0 else status} after {self.seconds:.1f} s"


def name_of(test):
    """Two modules have a test of one name."""
    suite = test["suite"][0] if test["suite"] else ""
    return f"{suite.split(':')[0]}/{test['name']}"


def run(test, options, with_tracer):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(FOREIGN)}
    environment.update(test["env"])
    # It counts wall time, and this machine may be busy.
    environment["CK_DEFAULT_TIMEOUT"] = "60"
    environment["GST_REGISTRY"] = str(
        options.registries / f"{name_of(test).replace('/', '-')}-{with_tracer}")
    if options.no_fork:
        environment["CK_FORK"] = "no"
    with tempfile.TemporaryDirectory(prefix="upstream-test-") as folder:
        if with_tracer:
            environment["GST_TRACERS"] = (
                f'pyroscope(server-url="",output-dir="{folder}/captures",'
                f"sample-rate={options.rate})")
            environment["GST_PLUGIN_PATH_1_0"] = (
                f"{options.plugin}:{environment.get('GST_PLUGIN_PATH_1_0', '')}")
            allowed = environment.get("GST_PLUGIN_LOADING_WHITELIST")
            if allowed:
                environment["GST_PLUGIN_LOADING_WHITELIST"] = (
                    f"{allowed}:gst-pyroscope@{options.plugin}")
        log = Path(folder, "log")
        begin = time.monotonic()
        with open(log, "wb") as output:
            process = subprocess.Popen(
                test["cmd"], env=environment, cwd=test["workdir"] or folder,
                stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)
            try:
                status = process.wait(options.seconds)
            except subprocess.TimeoutExpired:
                status = "time-out"
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        return Outcome(status, time.monotonic() - begin,
                       log.read_text(errors="replace"),
                       len(list(Path(folder).glob("captures/*.pb.gz"))))


def run_all(tests, options, with_tracer):
    """{name: Outcome}, JOBS at a time."""
    outcomes = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(run, test, options, with_tracer): name
                   for name, test in tests.items()}
        for done in concurrent.futures.as_completed(waiting):
            outcomes[waiting[done]] = done.result()
    return outcomes


def find_tests(options):
    shown = subprocess.run(
        [options.meson, "introspect", "--tests", options.build], check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
    tests = {name_of(test): test for test in json.loads(shown)}
    if options.names:
        tests = {name: test for name, test in tests.items()
                 if any(part in name for part in options.names)}
    return tests


def compare(tests, options):
    """(passed, failed, skipped) as lists of lines."""
    without = run_all(tests, options, False)
    print(f"without the tracer: {sum(o.passed for o in without.values())} of "
          f"{len(tests)} pass", flush=True)
    with_it = run_all(tests, options, True)
    print(f"with it: {sum(o.passed for o in with_it.values())}; "
          f"{sum(o.captures > 0 for o in with_it.values())} left captures",
          flush=True)
    passed, failed, skipped = [], [], []
    for name, test in sorted(tests.items()):
        first, second = without[name], with_it[name]
        if first.passed and second.passed:
            passed.append(name)
            continue
        if first.passed == second.passed:
            skipped.append(f"{name}: fails without the tracer, too: {first}")
            continue
        bare, traced = [first], [second]
        while len(bare) <= LOOKS and bare[-1].passed and not traced[-1].passed:
            bare.append(run(test, options, False))
            traced.append(run(test, options, True))
        line = (f"{name}: without the tracer {', '.join(map(str, bare))}; "
                f"with it {', '.join(map(str, traced))}")
        if bare[-1].passed and not traced[-1].passed:
            failed.append(line)
            print(f"== {name}, with the tracer:")
            print("\n".join(traced[-1].output.splitlines()[-30:]), flush=True)
        elif traced[-1].passed:
            passed.append(name)
            print(f"not reliable: {line}", flush=True)
        else:
            skipped.append(line)
    if not any(outcome.captures for outcome in with_it.values()):
        failed.append("the tracer wrote no capture at all: was it loaded?")
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--plugin", type=lambda p: Path(p).resolve(),
                        required=True)
    parser.add_argument("--meson", default="meson")
    parser.add_argument("--no-fork", action="store_true",
                        help="all tests of a program in one process")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=180,
                        help="that a program may take")
    parser.add_argument("--rate", type=int, default=1000,
                        help="samples per second")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    tests = find_tests(options)
    with tempfile.TemporaryDirectory(prefix="upstream-tests-") as folder:
        options.registries = Path(folder)
        passed, failed, skipped = compare(tests, options)
    for line in skipped:
        print(f"skipped: {line}")
    for line in failed:
        print(f"FAILED: {line}")
    print(f"{len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
