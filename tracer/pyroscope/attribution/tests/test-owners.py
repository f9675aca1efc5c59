#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Threads that codecs make count for the element that owns the codec.

Plays real pipelines under gst-launch-1.0 and compares each sample's element
with the truth, which does not come from the tracer: a preloaded library names
each thread after the instance of the codec whose call made it (thread-truth.c).

usage: test-owners.py [--all] THREAD-TRUTH.so [WORDS...]; prints TAP

Without --all only some of the pipelines are played; with WORDS, those with one
of them in their title.
"""

import argparse
import fnmatch
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "e2e"))
import pprof_reader  # noqa: E402

LEAST_SHARE = 0.98
LEAST_CPU = 0.3e9  # that has an owner; less proves nothing
LONGEST = 60  # seconds that a pipeline plays
# Of each owner's, who may have some milliseconds only, and may call others.
LEAST_OF_EACH = 0.5

SIZE = "video/x-raw,width=640,height=360"
QUEUE = "queue max-size-buffers=400 max-size-bytes=0 max-size-time=0"


def source(n=80):
    return f"videotestsrc num-buffers={n} pattern=snow ! {SIZE}"


def two(left, right, n=80):
    return (
        f"{source(n)} ! tee name=t ! {QUEUE} ! {left} ! fakesink async=false "
        f"t. ! {QUEUE} ! {right} ! fakesink async=false"
    )


# What the test says; the pipeline; the owners of threads, by the name that these
# have in truth; a pipeline that another process plays. The first few are played
# always. "./PROGRAM ELEMENT..." is a program beside the truth library, and what
# it needs.
N_ALWAYS = 5
PIPELINES = [
    ("the threads of two x264enc of different presets are told apart",
     two("x264enc name=slow speed-preset=medium threads=2",
         "x264enc name=fast speed-preset=superfast threads=3"),
     {"t:x264-2": "slow", "t:x264-3": "fast"}),
    ("an encoder and a decoder of one plugin are told apart",
     f"{source(200)} ! avenc_mpeg4 name=enc bitrate=8000000 threads=auto "
     "! avdec_mpeg4 name=dec max-threads=2 ! fakesink",
     {"t:mpeg4-enc": "enc", "t:mpeg4-dec": "dec"}),
    ("the threads of vp8enc and vp9enc, one plugin, are told apart",
     two("vp8enc name=left deadline=1 threads=2 cpu-used=4",
         "vp9enc name=right deadline=1 threads=2 cpu-used=5 tile-columns=1 "
         "row-mt=true", 50),
     {"t:VP8-enc": "left", "t:VP9-enc": "right"}),
    ("two decodebins find their decoders' threads",
     "filesrc location={h264} ! decodebin name=left ! fakesink "
     "filesrc location={mpeg4} ! decodebin name=right ! fakesink",
     {"t:h264-dec": "avdec_h264*", "t:mpeg4-dec": "avdec_mpeg4*"}),
    ("playbin finds its decoder's threads",
     "playbin uri=file://{h264} video-sink=fakesink",
     {"t:h264-dec": "avdec_h264*"}),
    ("the threads of x264enc and avdec_h264 are told apart",
     f"{source()} ! x264enc name=enc threads=2 ! h264parse "
     "! avdec_h264 name=dec ! fakesink",
     {"t:x264-2": "enc", "t:h264-dec": "dec"}),
    ("the threads of two avdec of one plugin are told apart",
     two("x264enc tune=zerolatency threads=2 speed-preset=ultrafast name=enc "
         "! avdec_h264 name=left",
         "avenc_mpeg4 name=right threads=auto ! avdec_mpeg4 name=more max-threads=2", 150),
     {"t:x264-2": "enc", "t:h264-dec": "left", "t:mpeg4-enc": "right",
      "t:mpeg4-dec": "more"}),
    ("av1enc's threads are not those of av1dec, of one plugin",
     f"videotestsrc num-buffers=60 pattern=snow ! {SIZE} ! av1enc name=enc threads=2 "
     "cpu-used=6 usage-profile=realtime tile-columns=1 row-mt=true "
     "! av1parse ! av1dec name=dec ! fakesink",
     {"t:AV1-enc": "enc"}),
    ("the threads of x265enc are its own",
     f"{source(40)} ! queue ! x265enc name=enc speed-preset=ultrafast ! fakesink",
     {"t:queue0:src": "enc"}),
    ("the threads of two x265enc are told apart",
     two("x265enc name=left speed-preset=ultrafast",
         "x265enc name=right speed-preset=superfast", 40),
     {"t:queue0:src": "left", "t:queue1:src": "right"}),
    ("the threads of openh264enc are its own",
     f"{source(200)} ! queue ! openh264enc name=enc multi-thread=2 "
     "slice-mode=n-slices num-slices=4 complexity=high ! fakesink",
     {"t:queue0:src": "enc"}),
    ("uridecodebin3 finds its decoder's threads",
     "uridecodebin3 uri=file://{h264} ! fakesink "
     "uridecodebin3 uri=file://{mpeg4} ! fakesink",
     {"t:h264-dec": "avdec_h264*", "t:mpeg4-dec": "avdec_mpeg4*"}),
    ("an autoplugged decoder is told from the encoder, of its plugin, before it",
     f"{source(200)} ! avenc_mpeg4 name=enc bitrate=8000000 threads=auto "
     "! decodebin ! fakesink",
     {"t:mpeg4-enc": "enc", "t:mpeg4-dec": "avdec_mpeg4*"}),
    ("RTP over loopback: the encoder's and the decoder's threads",
     f"rtpbin name=send {source(300)} ! x264enc name=enc threads=2 bitrate=4000 "
     "tune=zerolatency sliced-threads=false speed-preset=superfast ! rtph264pay "
     "! send.send_rtp_sink_0 send.send_rtp_src_0 "
     "! udpsink host=127.0.0.1 port={port} sync=false async=false "
     "rtpbin name=receive udpsrc port={port} num-buffers=900 buffer-size=8000000 "
     "caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=H264 "
     "! receive.recv_rtp_sink_0 receive. ! rtph264depay ! h264parse "
     "! avdec_h264 name=dec max-threads=2 ! fakesink sync=false async=false",
     {"t:x264-2": "enc", "t:h264-dec": "dec", "rtpsession-rtcp": "rtpsession*",
      "timer": "rtpjitterbuffer*"}),
    ("two webrtcbin in one process: the encoder's threads and their own",
     "./webrtc-loopback webrtcbin nicesrc vp8enc dtlssrtpenc",
     {"t:VP8-enc": "enc", "webrtc-from:pc": "webrtc-from",
      "webrtc-to:pc": "webrtc-to"}),
    ("the pool that a compositor makes when it is constructed is its own",
     f"compositor name=mix ! {SIZE},format=I420 ! fakesink "
     f"{source(900)} ! mix. {source(900)} ! mix. {source(900)} ! mix.",
     {"pool-*": "mix"}),
    ("SRT's threads are the source's",
     "srtsrc name=src uri=srt://127.0.0.1:{port} num-buffers=60000 ! fakesink",
     {"SRT:RcvQ*": "src", "SRT:TsbPd": "src", "SRT:SndQ*": "src"},
     "fakesrc sizetype=fixed sizemax=1316 "
     "! srtsink uri=srt://:{port}?mode=listener"),
]


def find_free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def play_beside(pipeline):
    return subprocess.Popen(["gst-launch-1.0", "-q", *pipeline.split()],
                            env={**os.environ, "GST_TRACERS": ""},
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def wait_for(process):
    """Until PROCESS ends well, or has played long enough: how fast SRT is
    differs much."""
    interrupted = False
    try:
        try:
            process.wait(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            interrupted = True
            process.send_signal(signal.SIGINT)
            process.wait(timeout=LONGEST)
    finally:
        process.kill()
        process.wait()
    if process.returncode and not interrupted:
        raise subprocess.CalledProcessError(process.returncode, process.args)


def play(pipeline, truth_library):
    """The samples of a run of PIPELINE, each with its CPU nanoseconds."""
    with tempfile.TemporaryDirectory() as folder:
        # 1000 Hz: enough samples from a short run.
        parameters = {"server-url": "", "output-dir": folder,
                      "sample-rate": "1000"}
        tracer = ",".join(f'{k}="{v}"' for k, v in parameters.items())
        words = pipeline.split()
        process = subprocess.Popen(
            [Path(truth_library).parent / words[0], *words[1:]]
            if words[0].startswith("./") else ["gst-launch-1.0", "-q", *words],
            env={**os.environ, "GST_TRACERS": f"pyroscope({tracer})",
                 "LD_PRELOAD": truth_library})
        wait_for(process)
        profiles = [pprof_reader.read(p) for p in Path(folder).glob("*.pb.gz")]
    for profile in profiles:
        cpu = profile.value_index("cpu")
        yield from ((s, s.values[cpu]) for s in profile.samples)


def is_right(element, owner):
    if owner.endswith("*"):
        return element.startswith(owner[:-1])
    return element == owner


def judge(samples, owners):
    """Prints the shares of CPU time; returns whether they will do."""
    cpu, right, marks = Counter(), Counter(), Counter()  # the first two by owner
    wrong = Counter()
    for sample, ns in samples:
        thread = sample.labels.get("thread", "")
        owner = next((owner for name, owner in owners.items()
                      if fnmatch.fnmatchcase(thread, name)), None)
        if owner is None:
            continue
        cpu[owner] += ns
        element = sample.labels.get("element", "")
        if is_right(element, owner):
            right[owner] += ns
            marks[sample.labels.get("attribution", "")] += ns
        else:
            wrong[f"{owner} → {element or '(none)'}"] += ns
    total = max(cpu.total(), 1)
    share = right.total() / total
    print(f"# {share:.2%} of {total / 1e9:.2f} s right: "
          + ", ".join(f"{m} {n / total:.2%}" for m, n in marks.items()))
    for what, ns in wrong.most_common(5):
        print(f"# {what}: {ns / 1e6:.1f} ms")
    bad = [owner for owner in set(owners.values())
           if right[owner] <= LEAST_OF_EACH * cpu[owner]]
    for owner in bad:
        print(f"# {right[owner] / 1e6:.1f} of {cpu[owner] / 1e6:.1f} ms of "
              f"{owner}'s threads are right")
    return share >= LEAST_SHARE and total >= LEAST_CPU and not bad


def find_missing(pipeline):
    for word in pipeline.split():
        name = word.split("=")[0]
        if word in ("!",) or "=" in word or "/" in word or "." in word:
            continue
        if subprocess.run(["gst-inspect-1.0", name],
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode:
            return name
    return None


def make_files(folder):
    """Movies of known codecs."""
    encoders = {
        "h264": "x264enc speed-preset=veryfast ! matroskamux",
        "mpeg4": "avenc_mpeg4 bitrate=4000000 ! matroskamux",
    }
    files = {}
    for name, encoder in encoders.items():
        files[name] = f"{folder}/{name}"
        pipeline = f"{source(250)} ! {encoder} ! filesink location={files[name]}"
        subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()],
                       env={**os.environ, "GST_TRACERS": ""},
                       check=True, timeout=150)
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("truth_library")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    chosen = PIPELINES if arguments.all or arguments.words else PIPELINES[:N_ALWAYS]
    if arguments.words:
        chosen = [p for p in chosen if any(w in p[0] for w in arguments.words)]
    failed = False
    print(f"1..{len(chosen)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for number, (title, pipeline, owners, *beside) in enumerate(chosen, 1):
            missing = find_missing(" ".join([pipeline, *beside]))
            if missing:
                print(f"ok {number} {title} # SKIP no {missing}", flush=True)
                continue
            if "{" in pipeline and not files:
                files = make_files(folder)
            names = {**files, "port": find_free_port()}
            others = [play_beside(p.format(**names)) for p in beside]
            try:
                samples = list(play(pipeline.format(**names),
                                    arguments.truth_library))
            finally:
                for other in others:
                    other.kill()
                    other.wait()
            ok = judge(samples, owners)
            failed |= not ok
            print(f"{'ok' if ok else 'not ok'} {number} {title}", flush=True)
    sys.exit(failed)


main()
