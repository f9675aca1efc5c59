#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pipelines that put themselves together end with the tracer as without it.

Autoplugging links, relinks and blocks pads, sends sticky events again and asks
pads from many threads, all under locks of GStreamer's: a hook that waits for
one of them hangs here, in some versions of GStreamer only. Each of the elements
below plays a movie with sound under gst-launch-1.0, several times.

usage: test-autoplug.py [--rounds N] [--longest SECONDS] [ELEMENT...]; prints TAP
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "e2e"))
import pprof_reader  # noqa: E402

SINKS = "audio-sink=fakesink video-sink=fakesink"
BRANCHES = "d. ! video/x-raw ! fakesink d. ! audio/x-raw ! fakesink"
PIPELINES = {
    "playbin": f"playbin uri=file://{{movie}} {SINKS}",
    "playbin3": f"playbin3 uri=file://{{movie}} {SINKS}",
    "decodebin": f"filesrc location={{movie}} ! decodebin name=d {BRANCHES}",
    "decodebin3": f"filesrc location={{movie}} ! decodebin3 name=d {BRANCHES}",
    "uridecodebin": f"uridecodebin uri=file://{{movie}} name=d {BRANCHES}",
    "uridecodebin3": f"uridecodebin3 uri=file://{{movie}} name=d {BRANCHES}",
}
MOVIE = (
    "webmmux name=mux ! filesink location={movie} "
    "videotestsrc num-buffers=600 pattern=snow ! video/x-raw,width=320,height=240 "
    "! vp8enc deadline=1 cpu-used=8 ! queue ! mux. "
    "audiotestsrc num-buffers=960 ! audioconvert ! vorbisenc ! queue ! mux."
)


def threads_of(process):
    """Where each thread of PROCESS is, as well as this machine can say."""
    if shutil.which("gdb"):
        return subprocess.run(
            ["gdb", "-nx", "-batch", "-p", str(process.pid),
             "-ex", "thread apply all backtrace 30"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False).stdout
    text = "(gdb is not installed)\n"
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        try:
            text += f"{(task / 'comm').read_text().strip()}: " \
                    f"{(task / 'wchan').read_text()}\n"
        except OSError:
            continue
    return text


def launch(pipeline, tracer, longest, show_hang=True):
    """How gst-launch-1.0 ended; what it said, or where it hangs."""
    environment = dict(os.environ)
    environment.pop("GST_TRACERS", None)
    if tracer:
        environment["GST_TRACERS"] = tracer
    process = subprocess.Popen(
        ["gst-launch-1.0", "-q", *pipeline.split()], env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=longest)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        where = threads_of(process) if show_hang else ""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"hangs: not ended after {longest} s", where


def decoders_in(folder):
    """The factories of decoders that the captures in FOLDER know."""
    factories = set()
    for capture in Path(folder).glob("*.pb.gz"):
        for sample in pprof_reader.read(capture).samples:
            factories.add(sample.labels.get("factory", ""))
    return {name for name in factories if "dec" in name}


def judge(pipeline, rounds, longest):
    """What is wrong, a line each."""
    status, output = launch(pipeline, None, longest)
    if status:
        return [f"it fails without the tracer, too: {status}",
                *output.splitlines()]
    bad, wrong = 0, []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            status, output = launch(
                pipeline, f'pyroscope(server-url="",output-dir="{folder}",'
                "sample-rate=1000)", longest, show_hang=not wrong)
            if status:
                bad += 1
                wrong = wrong or [f"{status}", *output.splitlines()]
            elif not decoders_in(folder):
                bad += 1
                wrong = wrong or ["no decoder is in the capture"]
    return [f"{bad} of {rounds} wrong; the first of them:", *wrong] if bad else []


def is_there(element):
    return not subprocess.run(["gst-inspect-1.0", element], check=False,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    # It takes less than one.
    parser.add_argument("--longest", type=int, default=30)
    parser.add_argument("elements", nargs="*")
    arguments = parser.parse_args()
    elements = arguments.elements or list(PIPELINES)
    failed = False
    print(f"1..{len(elements)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        movie = f"{folder}/movie"
        status, output = launch(MOVIE.format(movie=movie), None,
                                arguments.longest)
        if status:
            sys.exit(f"Bail out! the movie could not be made: {output}")
        for number, element in enumerate(elements, 1):
            title = f"{element} with sound and video ends as without a tracer"
            if not is_there(element):
                print(f"ok {number} {title} # SKIP no {element}", flush=True)
                continue
            wrong = judge(PIPELINES[element].format(movie=movie),
                          arguments.rounds, arguments.longest)
            failed |= bool(wrong)
            for line in wrong:
                print(f"# {line}")
            print(f"{'not ok' if wrong else 'ok'} {number} {title}", flush=True)
    sys.exit(failed)


main()
