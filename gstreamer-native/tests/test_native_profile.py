# SPDX-License-Identifier: LGPL-2.1-or-later
"""What profiles taken inside the tree are worth: stacks by frame pointers,
and names with file and line. `just test-native` runs these; they take their
captures with the plugin of target/native."""

import collections
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tracer/pyroscope/tests/e2e"))

import pprof_reader  # noqa: E402  pylint: disable=wrong-import-position

# Where gst-env.py has put us; "" outside.
BUILD = (os.environ.get("GST_PLUGIN_SCANNER", "").partition("/subprojects/")[0]
         if "GST_ENV" in os.environ else "")
pytestmark = pytest.mark.skipif(
    not BUILD, reason="outside of the tree's shell: just test-native")

# Much of GStreamer's own code in some seconds: core in many small pushes, an
# aggregator, converters, an encoder with threads, muxers.
PIPELINE = """
  fakesrc num-buffers=4000000 sizetype=fixed sizemax=64 ! identity ! identity
    ! queue ! identity ! fakesink
  videotestsrc num-buffers=2400 ! video/x-raw,width=320,height=240
    ! tee name=t
  t. ! queue ! videoconvert ! video/x-raw,format=RGB ! videoscale
    ! video/x-raw,width=640,height=480 ! fakesink
  t. ! queue ! vp8enc deadline=1 threads=2 ! matroskamux ! fakesink
  audiotestsrc num-buffers=80000 wave=pink-noise ! audioresample quality=10
    ! audio/x-raw,rate=48000 ! audiomixer ! audioconvert ! fakesink
"""


@pytest.fixture(name="take", scope="module")
def fixture_take(tmp_path_factory):
    """take(UNWINDER): the samples of the pipeline, as (profile, sample)."""
    taken = {}

    def take(unwinder):
        if unwinder not in taken:
            folder = tmp_path_factory.mktemp(unwinder)
            environment = dict(
                os.environ, GST_TRACERS="pyroscope(server-url=,"
                f"output-dir={folder},unwinder={unwinder},sample-rate=250)")
            done = subprocess.run(
                ["gst-launch-1.0", "-q", *PIPELINE.split()], text=True,
                env=environment, stdin=subprocess.DEVNULL, timeout=150,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            assert done.returncode == 0, done.stdout
            profiles = [pprof_reader.read(p)
                        for p in sorted(folder.glob("*.pb.gz"))]
            taken[unwinder] = [(p, s) for p in profiles for s in p.samples]
            count = sum(s.values[p.value_index("samples")]
                        for p, s in taken[unwinder])
            assert count > 300, f"only {count} samples, says {done.stdout}"
        return taken[unwinder]

    return take


def in_tree(frame):
    return (frame.mapping is not None
            and frame.mapping.filename.startswith(BUILD + "/"))


def weigh(samples, holds):
    """(CPU time of all samples, the share of those for which HOLDS)"""
    total = good = 0
    for profile, sample in samples:
        value = sample.values[profile.value_index("cpu")]
        total += value
        good += value if holds(sample) else 0
    return total, good / total if total else 0.0


def streaming(samples):
    """Those whose leaf is GStreamer's own code on a streaming thread."""
    return [(p, s) for p, s in samples
            if s.frames and in_tree(s.frames[0])
            and s.labels.get("attribution") == "exact"]


def own_stack(sample):
    """The names of the tree's own functions on a stack, root first."""
    return tuple(f.function for f in reversed(sample.frames) if in_tree(f))


def reaches_the_task(sample):
    """Every streaming thread of GStreamer's is in its task's function. (The
    task pool's default_func, which calls it, ends in a jump to it.)"""
    return own_stack(sample)[0] == "gst_task_func"


@pytest.mark.parametrize("unwinder", ["frame-pointers", "tables"])
def test_stacks_are_complete_through_gstreamers_own_frames(take, unwinder):
    total, share = weigh(streaming(take(unwinder)), reaches_the_task)
    assert total > 500_000_000, "too little CPU time to judge by"
    assert share >= 0.99


def calls(samples):
    """{(caller, callee): samples}, the sampled functions' own calls left out:
    in its first and last instructions a function's caller is not yet, or no
    longer, in the chain of frame pointers."""
    found = collections.Counter()
    for profile, sample in samples:
        names = own_stack(sample)[:-1]
        for call in zip(names, names[1:]):
            found[call] += sample.values[profile.value_index("samples")]
    return found


def test_frame_pointers_and_tables_see_the_same_calls(take):
    known = calls(streaming(take("tables")))
    found = calls(streaming(take("frame-pointers")))
    unknown = found.keys() - known.keys()
    # A call that was sampled once or twice may be in one profile only.
    share = sum(found[call] for call in unknown) / sum(found.values())
    assert share <= 0.05, [(found[call], call) for call in unknown]


@pytest.mark.parametrize("unwinder", ["frame-pointers", "tables"])
def test_frames_of_the_tree_have_names_files_and_lines(take, unwinder):
    total = named = 0
    nameless = set()
    for profile, sample in take(unwinder):
        value = sample.values[profile.value_index("samples")]
        for frame in filter(in_tree, sample.frames):
            total += value
            if frame.function and frame.filename and frame.line:
                named += value
            else:
                nameless.add((frame.function, frame.mapping.filename,
                              hex(frame.address)))
    assert total > 3000
    assert named / total >= 0.95, sorted(nameless)[:20]


def test_static_functions_are_among_the_names(take):
    names = {f.function for _, s in take("tables") for f in s.frames
             if in_tree(f)}
    assert {"gst_pad_chain_data_unchecked", "gst_base_src_loop",
            "gst_queue_loop"} <= names


def test_lines_lie_in_the_archives_that_the_tree_was_built_from(take):
    files = {f.filename for _, s in take("tables") for f in s.frames
             if in_tree(f) and f.filename}
    assert any(name.endswith("gst/gstpad.c") for name in files)
    assert any("gst-plugins-base" in name for name in files)
