#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Profiles gst-launch-1.0 while libraries lie to it about the time.

usage: run-clocks.py SHIM INSPECT

SHIM is our own library for LD_PRELOAD, INSPECT is gst-pyroscope-inspect.
libfaketime is taken from where distributions put it. What the profiles say is
compared with what the kernel says of the process when it has ended, and with
the clock of this one. TAP goes to the standard output.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PIPELINE = (
    "videotestsrc num-buffers=1200 pattern=smpte ! video/x-raw,width=320,height=240 !"
    " videoconvert n-threads=1 ! video/x-raw,format=RGB ! queue ! videoconvert"
    " n-threads=1 ! video/x-raw,format=I420 ! fakesink"
)

FAKETIME = glob.glob("/usr/lib*/faketime/libfaketime.so.1") + glob.glob(
    "/usr/lib*/*/faketime/libfaketime.so.1"
)

CASES = {
    "a clock that is a little too fast": ("faketime", "+0 x1.0001"),
    "a clock of double speed": ("faketime", "+0 x2"),
    "a clock of a thousandth of the speed": ("faketime", "+0 x0.001"),
    "another date": ("faketime", "@2030-01-01 00:00:00"),
    "a date ten days ago": ("faketime", "-10d"),
    "all clocks of the C library are hours ahead": ("shim", "1"),
    "all clocks of the C library are too fast": ("shim", "37"),
    "all clocks of the C library stand still, nearly": ("shim", "0.0001"),
}


def faults(kind, value, shim, inspect):
    """Runs one case; returns what is wrong."""
    environment = dict(os.environ)
    if kind == "shim":
        environment |= {"LD_PRELOAD": shim, "LYING_CLOCK": value}
    else:
        environment |= {"LD_PRELOAD": FAKETIME[0], "FAKETIME": value, "TZ": "UTC"}
    with tempfile.TemporaryDirectory(prefix="clocks-") as captures:
        environment["GST_TRACERS"] = (
            f'pyroscope(server-url="",output-dir="{captures}",stop-timeout=20)'
        )
        real, begin = time.time(), time.monotonic()
        process = subprocess.Popen(
            ["gst-launch-1.0", "-q", *PIPELINE.split()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        error = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        watchdog.cancel()
        process.returncode = status
        elapsed = time.monotonic() - begin
        if status:
            return [f"status {status}: {error}"]
        files = sorted(Path(captures).glob("*.pb.gz"))
        if not files:
            return ["no capture"]
        done = subprocess.run(
            [inspect, "summary", "--format=json", *map(str, files)],
            capture_output=True,
            text=True,
            check=True,
        )
        (profile,) = json.loads(done.stdout)["profiles"]
    used = usage.ru_utime + usage.ru_stime
    return check(profile, used, elapsed, real)


def check(profile, used, elapsed, real):
    """USED and ELAPSED are seconds, REAL is the time of the start."""
    wrong = []
    cpu = next(t["value"] for t in profile["totals"] if t["type"] == "cpu") / 1e9
    # What GStreamer does before it plays is not profiled.
    if not 0.4 * used < cpu < 1.03 * used + 0.05:
        wrong.append(f"{cpu} s are profiled of {used} s")
    duration = profile["duration_nanos"] / 1e9
    if not 0.4 * cpu < duration < elapsed:
        wrong.append(f"it lasts {duration} s of {elapsed} s, with {cpu} s of CPU")
    stamp = int(profile["time_nanos"]) / 1e9
    if not real - 1 < stamp < real + elapsed + 1:
        wrong.append(f"it is stamped {stamp}, the process began at {real}")
    return wrong


def main():
    shim, inspect = map(os.path.abspath, sys.argv[1:])
    # The registry of plugins is made by a process of its own; in true time.
    subprocess.run(
        ["gst-inspect-1.0", "pyroscope"], stdout=subprocess.DEVNULL, check=True
    )
    print(f"1..{len(CASES)}")
    failed = 0
    for number, (name, (kind, value)) in enumerate(CASES.items(), 1):
        if kind == "faketime" and not FAKETIME:
            print(f"ok {number} {name} # SKIP no libfaketime")
            continue
        wrong = faults(kind, value, shim, inspect)
        failed += bool(wrong)
        for line in wrong:
            print(f"# {line}")
        print(f"{'not ok' if wrong else 'ok'} {number} {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
