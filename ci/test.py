#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs all tests; the last line counts them.

  test.py                      everything but the suite `slow`
  test.py --slow               that suite, too
  test.py --only-slow          that suite and nothing else
  test.py --server URL         the end-to-end tests against a real server
  test.py --profile native     with that build, inside gstreamer-native's shell
  test.py RUNNER...            only these: programs, server, end-to-end

Exits with 1 if anything failed, nothing ran, or a test left a process or a
file behind.
"""

import argparse
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import summary

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"
END_TO_END = ROOT / "tracer/pyroscope/tests/e2e"
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def run(name, command, seconds, **options):
    """Runs COMMAND without input; a runner that hangs is ended."""
    print(f"\n== {name}", flush=True)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                               start_new_session=True, **options)
    try:
        return process.wait(timeout=seconds)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        print(f"{name}: ended after {seconds} s", flush=True)
        return -signal.SIGKILL


def children():
    """Our children as {pid: command line}."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = status.read_text().rsplit(")", 1)[1].split()
            if int(after[1]) == os.getpid() and after[0] != "Z":
                command = (status.parent / "cmdline").read_bytes()
                found[int(status.parent.name)] = command.replace(
                    b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
    return found


def left_behind(name):
    """What still runs when runner NAME is done, as failures. It is ended."""
    deadline = time.monotonic() + 5
    while children() and time.monotonic() < deadline:
        time.sleep(0.1)
    failures = []
    for pid, command in children().items():
        failures.append(f"{name}: left a process behind: {command}")
        os.kill(pid, signal.SIGKILL)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    return summary.Counts(failures=failures)


def neutral(environment):
    """ENVIRONMENT without what would set the tracer up or make tests noisy."""
    keep = "PYROSCOPE_URL", "PYROSCOPE_PUSHSERVER"
    return {name: value for name, value in environment.items()
            if name in keep or not name.startswith((
                "GST_TRACERS", "GST_DEBUG", "GST_PYROSCOPE_", "PYROSCOPE_"))}


class Profile:
    """Where one profile's build, files and results are."""

    def __init__(self, name):
        self.name = name
        self.build = TARGET / f".build-{name}"
        self.files = TARGET / name
        self.results = TARGET / ("test-results" if name == "debug"
                                 else f"test-results-{name}")


def build(profile):
    for package in "gst-pyroscope-tracer", "gst-pyroscope-inspect":
        subprocess.run([ROOT / "ci/build-package.sh", package, profile.name],
                       check=True, stdin=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", profile.build, "--quiet", "all"],
                   check=True, stdin=subprocess.DEVNULL)


def helpers():
    """The test server and google's pprof, as environment; {} without them."""
    built = subprocess.run([ROOT / "ci/pushserver/build.sh"], check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           text=True)
    if built.returncode:
        return {}
    server_path = Path(built.stdout.splitlines()[-1])
    return {"PYROSCOPE_PUSHSERVER": str(server_path),
            "PPROF": str(server_path.with_name("pprof"))}


# Tests that compare CPU clocks, statistics or times can fail on a machine that
# is busy with something else. So few failures are looked at a second time, with
# nothing beside them; what fails twice has failed, and what does not is named.
MAX_SECOND_LOOKS = 6


def second_look(runner, good, failures, again):
    """The counts of a run: what was GOOD at once, and the run AGAIN of what
    the FAILURES were in."""
    if again.failures:
        print(f"{runner}: failed twice: " + ", ".join(again.failures))
    else:
        print(f"{runner}: failed, then passed alone: " + ", ".join(failures))
    sys.stdout.flush()
    good.add(again)
    return good


def meson_test(profile, environment, *arguments):
    log = profile.build / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    run("programs", ["meson", "test", "-C", profile.build, "--no-rebuild",
                     "--print-errorlogs", "--num-processes", "1", *arguments],
        7200, env=dict(environment, CK_TAP_LOG_FILE_NAME="-"))
    return log


def programs(profile, environment, slow, only_slow=False):
    """The test programs in C, by meson, one after the other: many of them
    measure CPU time."""
    files = Path(environment["TMPDIR"])
    before = set(files.iterdir())
    # The default setup leaves the suite out.
    leave_out = (["--suite", "slow"] if only_slow
                 else ["--setup", "all"] if slow else [])
    log = meson_test(profile, environment, *leave_out)
    counts = summary.from_runner("programs", summary.from_meson, log)
    failed = summary.failed_in_meson(log)
    if 0 < len(failed) <= MAX_SECOND_LOOKS:
        good = summary.from_meson(log, leave_out=failed)
        again = meson_test(profile, environment,
                           *(name.split(" / ")[-1] for name in failed))
        counts = second_look(
            "programs", good, counts.failures,
            summary.from_runner("programs", summary.from_meson, again))
    for file in sorted(set(files.iterdir()) - before):
        counts.failures.append(f"programs: left a file behind: {file.name}")
    return counts


def server(profile, environment):
    """The test server's own tests, by go."""
    log = profile.results / "server.json"
    with open(log, "w", encoding="utf-8") as output:
        status = run("server", ["go", "test", "-json", "-timeout", "300s",
                                "./..."], 1200, cwd=ROOT / "ci/pushserver",
                     env=environment, stdout=output, stderr=output)
    counts = summary.from_runner("server", summary.from_go, log)
    if status and not counts.failures:
        counts.failures.append(f"server: go test ended with status {status}")
    if counts.failures:
        print(log.read_text(encoding="utf-8"))
    print(counts, flush=True)
    return counts


def pytest_id(failure):
    """What pytest calls the test that summary.py calls FAILURE."""
    module, test = failure.split(": ", 1)
    return f"{module.replace('.', '/')}.py::{test}"


def end_to_end(profile, environment, url):
    """The end-to-end tests, by pytest, and those of the scripts: ci's, or
    gstreamer-native's where that is tested."""
    log = profile.results / "end-to-end.xml"
    log.unlink(missing_ok=True)
    # Only here: the tracer takes every GST_PYROSCOPE_ name for a setting.
    environment = dict(environment, GST_PYROSCOPE_INSPECT=str(
        profile.files / "gst-pyroscope-inspect"))
    if url:
        environment["PYROSCOPE_URL"] = url
    if "PYROSCOPE_PUSHSERVER" not in environment:
        return summary.Counts(
            failures=["end-to-end: the test server could not be built"])
    target = environment.get("PYROSCOPE_URL") or "the test server of this tree"
    tests = [END_TO_END]
    if not url:
        tests.append(ROOT / ("ci/tests" if profile.name == "debug"
                             else "gstreamer-native/tests"))
    def pytest(*what):
        log.unlink(missing_ok=True)
        run(f"end-to-end, against {target}",
            [shutil.which("pytest-3") or "pytest", "-q", "-rs",
             "-p", "no:cacheprovider", "--timeout=180", f"--junitxml={log}",
             f"--basetemp={environment['TMPDIR']}/pytest", *what],
            3600, cwd=ROOT, env=environment)
        return summary.from_runner("end-to-end", summary.from_pytest, log)

    counts = pytest(*tests)
    if counts.passed and 0 < len(counts.failures) <= MAX_SECOND_LOOKS:
        good = summary.Counts(counts.passed, counts.skipped)
        counts = second_look("end-to-end", good, counts.failures,
                             pytest(*map(pytest_id, counts.failures)))
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.
                                     RawDescriptionHelpFormatter)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--only-slow", action="store_true")
    parser.add_argument("--server", metavar="URL")
    parser.add_argument("--profile", default="debug", type=Profile)
    parser.add_argument("runner", nargs="*",
                        choices=["programs", "server", "end-to-end", []])
    arguments = parser.parse_args()
    runners = arguments.runner or (
        ["end-to-end"] if arguments.server
        else ["programs"] if arguments.only_slow
        else ["programs", "server", "end-to-end"])

    # Processes whose parent has gone become ours, so none gets away.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    profile = arguments.profile
    profile.results.mkdir(parents=True, exist_ok=True)
    total = summary.Counts()
    files = tempfile.mkdtemp(prefix="gst-pyroscope-test-")
    os.chmod(files, 0o755)  # some tests become another user
    environment = dict(
        neutral(os.environ), TMPDIR=files, PYTHONDONTWRITEBYTECODE="1",
        GST_REGISTRY=str(profile.results / "gstreamer-registry.bin"))
    if profile.name == "debug":  # gstreamer-native's shell has its own path
        environment["GST_PLUGIN_PATH"] = str(profile.files)
    try:
        build(profile)
        environment.update(helpers())
        for name in runners:
            if name == "programs":
                total.add(programs(profile, environment, arguments.slow,
                                   arguments.only_slow))
            elif name == "server":
                total.add(server(profile, environment))
            else:
                total.add(end_to_end(profile, environment, arguments.server))
            total.add(left_behind(name))
    except subprocess.CalledProcessError:
        total.failures.append("the build failed")
    finally:
        shutil.rmtree(files, ignore_errors=True)

    print()
    for failure in total.failures:
        print(f"failed: {failure}")
    (profile.results / "summary.txt").write_text(f"{total}\n", encoding="utf-8")
    print(total, flush=True)
    return 0 if total.ok else 1


if __name__ == "__main__":
    sys.exit(main())
