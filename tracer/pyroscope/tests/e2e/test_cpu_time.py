# SPDX-License-Identifier: LGPL-2.1-or-later
"""The profile against the CPU clocks, and what of it has an element and a
whole stack."""

import json
import sys
from pathlib import Path

import pytest
from captures import NO_STACK
from pipelines import TWO_THREADS_BUSY, two_threads

CLOCKED = (sys.executable, str(Path(__file__).with_name("clocked_pipeline.py")))


def differs(a, b):
    return abs(a - b) / b


@pytest.mark.parametrize("rate", [100, 1000])
def test_the_sum_equals_the_threads_cpu_clocks(launcher, rate):
    run = launcher.run(two_threads(700), command=CLOCKED, sample_rate=rate)
    assert run.status == 0 and run.messages == []
    clocks = json.loads(run.stdout)
    assert clocks["process"] > 5e8

    # All of the process, the profiler's own threads among them.
    assert differs(run.captures.total(), clocks["process"]) < 0.03
    # The two streaming threads, one by one.
    by_thread = run.captures.by_label("thread")
    for thread in "source:src", "queue0:src":
        assert differs(by_thread[thread], clocks["threads"][thread]) < 0.03, thread
    # Weighted by overruns: kernels tick less often than 1000 Hz. The periods of
    # threads differ a little, so that they do not keep step with anything.
    assert run.captures.comment("sampler.rate") == str(rate)
    assert run.captures.counter("stats.dropped") == 0
    for profile in run.captures.profiles:
        for sample in profile.samples:
            if not sample.stack[-1].startswith(NO_STACK):
                weight, cpu = sample.values
                assert differs(cpu / weight, 1e9 / rate) <= 0.3001


def without_own_threads(captures):
    by_thread = captures.by_label("thread").items()
    return sum(ns for thread, ns in by_thread if not thread.startswith("pyro-"))


def test_the_sum_is_what_a_longer_run_costs_gst_launch(launcher):
    # Starting and ending a process, and making its profile, cost about the same
    # in both runs. The profiler's threads are profiled in the longer one only:
    # they have most to do at the end of the shorter one.
    runs = []
    for buffers in 50, 750:
        runs.append(launcher.run(two_threads(buffers)))
        for file in runs[-1].captures.files:
            file.unlink()
    short, long = runs
    cost = long.cpu_ns - short.cpu_ns
    assert cost > 5e8
    profiled = [without_own_threads(run.captures) for run in runs]
    assert differs(profiled[1] - profiled[0], cost) < 0.05


def test_95_percent_of_the_cpu_time_have_an_element(launcher):
    # There are no codec threads. What ran before the sampling began, some tens
    # of milliseconds, and the profiler's own threads have no samples.
    run = launcher.run(two_threads(700))
    samples = run.captures.by_label("element", "samples")
    with_element = sum(n for element, n in samples.items() if element)
    assert with_element >= 0.95 * run.captures.total("samples")

    elements = run.captures.by_label("element")
    with_element = sum(cpu for element, cpu in elements.items() if element)
    assert with_element >= 0.95 * run.captures.sampled_ns()
    busy = sum(elements[element] for element in TWO_THREADS_BUSY)
    assert busy >= 0.95 * with_element
    exact = run.captures.by_label("attribution")["exact"]
    assert exact >= 0.95 * run.captures.sampled_ns()


@pytest.mark.parametrize("element", ["front", "back"])
def test_the_element_that_does_the_work_is_the_one_named(launcher, element):
    # One of two converters has all of the work. There are samples enough that
    # one or two of the other's own little work are not a share.
    formats = ["I420", "RGB", "RGB"] if element == "front" else ["I420", "I420", "RGB"]
    caps = [f"video/x-raw,format={f},width=640,height=360" for f in formats]
    run = launcher.run(
        f"videotestsrc num-buffers=1500 pattern=black ! {caps[0]} ! "
        f"videoconvert name=front n-threads=1 ! {caps[1]} ! "
        f"videoconvert name=back n-threads=1 ! {caps[2]} ! fakesink",
        sample_rate=1000,
    )
    elements = run.captures.by_label("element")
    other = "back" if element == "front" else "front"
    assert elements[element] > 0.3 * run.captures.total()
    assert elements.get(other, 0) < 0.05 * elements[element]


CODECS = {
    "h264": (
        "videotestsrc num-buffers=300 ! video/x-raw,width=640,height=360 ! "
        "x264enc threads=2 speed-preset=veryfast ! avdec_h264 max-threads=2 ! fakesink",
        ["x264enc", "avdec_h264"],
    ),
    "vp8": (
        "videotestsrc num-buffers=90 ! video/x-raw,width=640,height=360 ! "
        "vp8enc threads=2 deadline=1 ! vp8dec threads=2 ! fakesink",
        ["vp8enc", "vp8dec"],
    ),
    "jpeg": (
        "videotestsrc num-buffers=600 ! video/x-raw,width=640,height=360 ! "
        "jpegenc ! jpegdec ! fakesink",
        ["jpegenc", "jpegdec"],
    ),
    "vorbis": (
        "audiotestsrc wave=white-noise num-buffers=6000 ! audioconvert ! "
        "vorbisenc ! vorbisdec ! fakesink",
        ["vorbisenc", "vorbisdec"],
    ),
    "opus": (
        "audiotestsrc wave=white-noise num-buffers=4000 ! audioconvert ! "
        "audioresample ! opusenc ! opusdec ! fakesink",
        ["opusenc", "opusdec"],
    ),
}


@pytest.mark.parametrize("codec", CODECS)
def test_the_stacks_of_real_codecs_are_complete(launcher, needs_elements, codec):
    pipeline, factories = CODECS[codec]
    needs_elements(*factories)
    run = launcher.run(pipeline, sample_rate=1000)
    assert run.status == 0 and run.messages == []
    samples = run.captures.counter("stats.samples")
    assert samples >= 30
    assert run.captures.counter("stats.complete") >= 0.99 * samples
    assert run.captures.counter("stats.dropped") == 0
    assert set(factories) <= run.captures.by_label("factory").keys()
    # To the thread's start: nothing calls the outermost function. The program's
    # own is stripped in Debian.
    starts = ("clone", "__clone", "thread_start", "_start", "gst-launch-1.0!")
    for stack in run.captures.by_stack("samples"):
        if len(stack) > 1 and not stack[0].startswith("[truncated: "):
            assert stack[0].startswith(starts), stack


def test_what_no_sample_saw_is_nobodys_exact_time(launcher):
    # So short that much of it has no stack: two elements in one thread, of
    # which none can be given that time.
    run = launcher.run(
        "videotestsrc num-buffers=20 ! videoconvert ! video/x-raw,format=RGB ! fakesink"
    )
    unsampled = 0
    for profile in run.captures.profiles:
        for sample in profile.samples:
            is_unsampled = sample.stack[-1].startswith("[not sampled")
            assert (sample.labels["attribution"] == "unsampled") == is_unsampled
            if is_unsampled:
                assert "element" not in sample.labels
                unsampled += sample.values[1]
    assert unsampled > 0
