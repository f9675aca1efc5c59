#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many of their stacks other profilers complete, on the same pipelines.

usage: bench-peers.py PLAY-PIPELINE PIPELINE [SECONDS]

perf and gperftools each look for SECONDS at a process that plays PIPELINE (its
place in pipelines.h), from when it plays on, at the rate of bench-unwind. As
there, a stack is complete if its outermost frame is where a thread begins: in
_start or clone3, at the return addresses that play-pipeline learnt from
libgcc's unwinder.
"""

import ctypes
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATE = 250
START_SIZE = 96  # as in thread-start.h
PROFILER = "libprofiler.so.0"
GPERFTOOLS_METHODS = ("libunwind", "libgcc", "generic_fp", "generic_fp_unsafe")
# The stack that perf copies for each sample: what it takes unless told, and
# the most that it can.
PERF_MODES = ("fp", "dwarf,8192", "dwarf,65528")


class Unavailable(Exception):
    pass


class Player:
    """A process that plays until it is closed."""

    def __init__(self, program, pipeline, environment=None):
        self.process = subprocess.Popen(
            [program, pipeline], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline().decode()
        if not line.startswith("playing "):
            raise Unavailable(f"the pipeline does not play: {self.close()}")
        self.starts = [int(word, 16) for word in line.split()[1:]]

    def close(self):
        """Returns why it did not end well, or an empty string."""
        try:
            _, errors = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return "it did not end within 60 s"
        status = self.process.returncode
        if status < 0:
            return f"it was ended by {signal.Signals(-status).name}"
        return errors.decode().strip() if status else ""

    def start_offsets(self):
        """Where threads begin, as (path, offset in the file)."""
        offsets = []
        maps = Path(f"/proc/{self.process.pid}/maps").read_text()
        for line in maps.splitlines():
            fields = line.split(None, 5)
            low, high = (int(word, 16) for word in fields[0].split("-"))
            offsets += [(fields[5], start - low + int(fields[2], 16))
                        for start in self.starts if low <= start < high]
        return offsets


def near(address, start):
    return abs(address - start) <= START_SIZE


def perf(program, pipeline, seconds, mode):
    """Returns how many stacks there are, and how many are complete."""
    if shutil.which("perf") is None:
        raise Unavailable("there is no perf")
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        player = Player(program, pipeline)
        # The software clock is there on virtual machines, too.
        record = subprocess.run(
            ["perf", "record", "-q", "-e", "cpu-clock:u", "-F", str(RATE),
             "--call-graph", mode, "-o", data, "-p", str(player.process.pid),
             "--", "sleep", str(seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        starts = player.start_offsets()
        player.close()
        if record.returncode:
            raise Unavailable(" ".join(record.stdout.decode().split()))
        script = subprocess.run(
            ["perf", "script", "-i", data, "-F", "tid,ip,dso", "--no-inline"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
            text=True).stdout
    n_stacks = n_complete = 0
    for stack in script.split("\n\n"):
        frames = re.findall(r"^\s+([0-9a-f]+) \((.*)\)$", stack, re.MULTILINE)
        # What frame pointers lead to may end in zeroes.
        while frames and int(frames[-1][0], 16) == 0:
            frames.pop()
        if not frames:
            continue
        address, path = int(frames[-1][0], 16), frames[-1][1]
        n_stacks += 1
        n_complete += any(path == start_path and near(address, start)
                          for start_path, start in starts)
    return n_stacks, n_complete


def read_cpuprofile(data):
    """The (count, outermost address) of the stacks in gperftools' own format.

    A header of five words, records of a count, a number of addresses and the
    addresses, a last one of the count 0, then text.
    """
    def word(index):
        return struct.unpack_from("=Q", data, 8 * index)[0]

    at = 2 + word(1)
    while word(at) > 0:
        depth = word(at + 1)
        yield word(at), word(at + 1 + depth)
        at += 2 + depth


def gperftools(program, pipeline, seconds, method):
    """Returns how many stacks there are, and how many are complete."""
    try:
        ctypes.CDLL(PROFILER)
    except OSError as error:
        raise Unavailable(error) from error
    with tempfile.TemporaryDirectory() as folder:
        player = Player(program, pipeline, {
            "LD_PRELOAD": PROFILER, "CPUPROFILE": f"{folder}/profile",
            "CPUPROFILE_FREQUENCY": str(RATE),
            "CPUPROFILESIGNAL": str(int(signal.SIGUSR2)),
            "TCMALLOC_STACKTRACE_METHOD": method,
            "TCMALLOC_STACKTRACE_METHOD_VERBOSE": "1"})
        player.process.send_signal(signal.SIGUSR2)
        time.sleep(seconds)
        player.process.send_signal(signal.SIGUSR2)
        time.sleep(0.2)
        starts = player.starts
        reason = player.close()
        profiles = [path.read_bytes() for path in Path(folder).iterdir()]
        profiles = [profile for profile in profiles if profile]
        if not profiles:
            raise Unavailable(reason or "it wrote no profile")
    n_stacks = n_complete = 0
    for count, outermost in read_cpuprofile(max(profiles, key=len)):
        n_stacks += count
        n_complete += count * any(near(outermost, start) for start in starts)
    return n_stacks, n_complete


def main():
    program, pipeline = sys.argv[1:3]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 5
    for name, measure, modes in (("gperftools", gperftools, GPERFTOOLS_METHODS),
                                 ("perf", perf, PERF_MODES)):
        for mode in modes:
            try:
                n_stacks, n_complete = measure(program, pipeline, seconds, mode)
                share = 100 * n_complete / n_stacks if n_stacks else 0
                result = f"{share:.1f} % of {n_stacks} stacks"
            except Unavailable as reason:
                result = f"not measured: {reason}"
            print(f"  complete: {name} {mode}: {result}", flush=True)


if __name__ == "__main__":
    main()
