# SPDX-License-Identifier: LGPL-2.1-or-later
"""Capture files: what they are named, who reads them, and that all readers
agree: google's pprof, gst-pyroscope-inspect and the tests' own decoder."""

import re
import stat
import subprocess
import time

import pprof_reader
import pytest
from launcher import INSPECT, Launcher, inspect, inspect_rows
from pipelines import TWO_THREADS_BUSY, two_threads


def test_one_private_file_per_interval(launcher):
    before = time.time()
    running = launcher.start(
        two_threads(210, live=True), upload_interval=1, tracer_name="a b/ü"
    )
    run = running.wait(launcher.captures)
    assert run.status == 0 and run.messages == []
    captures = run.captures
    assert captures.others == []  # nothing half-written
    assert stat.S_IMODE(launcher.captures.stat().st_mode) == 0o700

    names = []
    for file in captures.files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        name = re.fullmatch(r"a_b___+-(\d{8}T\d{6})Z-(\d+)-(\d+)\.pb\.gz", file.name)
        assert name, file.name
        assert int(name[2]) == running.pid
        names.append((int(name[3]), name[1]))
    assert [n for n, _ in sorted(names)] == list(range(len(names)))

    # 3.5 s: three whole intervals, and what is left at the end.
    by_time = sorted(captures.profiles, key=lambda p: p.time_nanos)
    assert len(by_time) in (4, 5, 6)
    for profile, (_, stamp) in zip(by_time, sorted(names)):
        seconds = profile.time_nanos // 10**9
        assert stamp == time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds))
        assert before - 1 < seconds < time.time()
    for one, next_one in zip(by_time, by_time[1:]):
        end = one.time_nanos + one.duration_nanos
        # No gap and no overlap.
        assert abs(next_one.time_nanos - end) < 1e5
        assert one.duration_nanos < 1.5e9
    whole = [p for p in by_time if abs(p.duration_nanos - 1e9) < 0.5e9]
    assert len(whole) >= 3


def test_a_capture_is_a_whole_profile(launcher):
    run = launcher.run(two_threads())
    sampled = 0
    for profile in run.captures.profiles:
        check_profile(profile, run)
        sampled += sum(
            s.values[0] for s in profile.samples if "[not sampled" not in s.stack[-1]
        )
    counters = {key: run.captures.counter(f"stats.{key}") for key in
                ("samples", "overruns", "dropped", "complete", "truncated")}
    assert counters["dropped"] == 0
    assert counters["complete"] + counters["truncated"] == counters["samples"]
    assert sampled == counters["samples"] + counters["overruns"]


def check_profile(profile, run):
    assert profile.sample_types == [("samples", "count"), ("cpu", "nanoseconds")]
    assert profile.period_type == ("cpu", "nanoseconds")
    assert profile.period == 10_000_000
    assert 0 < profile.duration_nanos <= run.seconds * 1e9
    for sample in profile.samples:
        assert sample.frames
        assert all(frame.function for frame in sample.frames)
        assert sample.values[1] > 0
    assert len({m.filename for m in profile.mappings}) == len(profile.mappings)
    named = {f.mapping for s in profile.samples for f in s.frames
             if f.mapping
             and not re.search(r"!0x[0-9a-f]+$|^\[.*\]$", f.function)}
    for mapping in profile.mappings:
        assert mapping.has_functions == (mapping in named)
        assert mapping.start < mapping.limit
        if mapping.filename.startswith("/"):
            assert re.fullmatch("[0-9a-f]{40}", mapping.build_id), mapping


def test_a_name_from_debug_statements_is_marked(launcher):
    """The distribution's libraries have no symbols for what is static in them."""
    profile = launcher.run(two_threads()).captures.profiles[0]
    marked = {f for s in profile.samples for f in s.frames
              if re.search("!0x[0-9a-f]+$", f.system_name)
              and f.function != f.system_name}
    if any(f.function == "gst_base_src_loop" and f not in marked
           for s in profile.samples for f in s.frames):
        pytest.skip("this GStreamer has symbols")
    names = {f.function: f for f in marked}
    assert "gst_base_src_loop" in names
    frame = names["gst_base_src_loop"]
    library = frame.mapping.filename.rpartition("/")[2]
    assert frame.system_name.startswith(library + "!0x")
    comments = [c.partition("=")[2] for c in profile.comments
                if c.startswith("names.debug-statements=")]
    assert f"{library} {frame.mapping.build_id}" in comments
    assert {c.split()[0] for c in comments} \
        == {f.mapping.filename.rpartition("/")[2] for f in marked}


def test_a_capture_without_names_is_named_later(launcher, tmp_path):
    files = launcher.run(two_threads(), symbols="none").captures.files
    file = max(files, key=lambda path: path.stat().st_size)
    bare = pprof_reader.read(file)
    assert {f.function for s in bare.samples for f in s.frames if f.mapping} == {""}
    assert not any(m.has_functions for m in bare.mappings)
    subprocess.run([INSPECT, "symbolize", "-o", tmp_path / "named.pb.gz", file],
                   check=True, timeout=60, stdout=subprocess.DEVNULL)
    named = pprof_reader.read(tmp_path / "named.pb.gz")
    assert "gst_pad_push" in {f.function for s in named.samples for f in s.frames}
    assert named.total("cpu") == bare.total("cpu")
    assert named.by_label("element", "cpu") == bare.by_label("element", "cpu")


def test_code_that_orc_generates_has_its_programs_name(launcher):
    """ORC's code is called by a function that has the program's name."""
    pipeline = ("videotestsrc num-buffers=400 pattern=ball"
                " ! video/x-raw,format=I420,width=640,height=480 ! videoconvert"
                " ! video/x-raw,format=BGRA ! fakesink")
    profile = launcher.run(pipeline, sample_rate=500).captures.profiles[0]
    pairs = [(frame.function, caller.function) for s in profile.samples
             for frame, caller in zip(s.frames, s.frames[1:])
             if frame.mapping and frame.mapping.filename == "[orc]"]
    named = [pair for pair in pairs if "_orc_" in pair[1]]
    assert len(named) > len(pairs) / 2
    assert all(name == f"orc: {caller}" for name, caller in named)


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """One run that all readers read, of more than one file."""
    run = Launcher(tmp_path_factory.mktemp("capture")).run(
        two_threads(150, live=True), upload_interval=1, sample_rate=500
    )
    assert run.status == 0 and len(run.captures.files) >= 2
    return run.captures


def pprof_top(text):
    """Flat nanoseconds for each name in the output of pprof -top -unit=ns."""
    rows = {}
    for line in text.splitlines():
        row = re.fullmatch(
            r" *(\d+)(?:ns)? +[\d.]+% +[\d.]+% +\d+(?:ns)? +[\d.]+%  (.*)", line
        )
        if row:
            name = row[2].removesuffix(" (inline)")
            rows[name] = rows.get(name, 0) + int(row[1])
    return rows


def without_zeros(values):
    return {name: value for name, value in values.items() if value}


def test_googles_pprof_reads_the_same_totals(capture, pprof):
    top = pprof("-top", "-unit=ns", "-nodefraction=0", "-edgefraction=0",
                "-nodecount=100000", "-symbolize=none", *capture.files)
    assert "Type: cpu" in top
    assert f"Total samples = {capture.total()}ns" in top
    assert without_zeros(pprof_top(top)) == without_zeros(capture.by_function())

    assert "flat%" in pprof("-top", "-nodecount=5", *capture.files)


def test_googles_pprof_shows_labels_and_stacks(capture, pprof):
    tags = pprof("-tags", "-unit=ns", *capture.files)
    for label in "pipeline", "path", "element", "factory", "thread", "attribution":
        values = {k: v for k, v in capture.by_label(label).items() if k}
        assert f" {label}: Total {sum(values.values())}ns" in tags
        for value, cpu in values.items():
            assert re.search(rf"{cpu}ns *\([ \d.]*%?\): {re.escape(value)}\n", tags), (
                value, tags)

    traces = pprof("-traces", "-unit=ns", *capture.files)
    found = re.findall(r"^ *(\d+)ns   \S", traces, re.MULTILINE)
    assert sum(map(int, found)) == capture.total()
    for element in TWO_THREADS_BUSY:
        assert re.search(rf"^ +element:  {element}$", traces, re.MULTILINE)


def test_a_profile_goes_through_googles_pprof_unchanged(capture, pprof, tmp_path):
    copy = tmp_path / "copy.pb.gz"
    pprof("-proto", f"-output={copy}", "-symbolize=none", capture.files[0])
    again, first = pprof_reader.read(copy), capture.profiles[0]
    assert again.by_stack("cpu") == first.by_stack("cpu")
    assert again.by_stack("samples") == first.by_stack("samples")
    assert again.by_label("element", "cpu") == first.by_label("element", "cpu")
    assert again.duration_nanos == first.duration_nanos


def test_the_inspect_tool_reads_the_same_totals(capture):
    (summary,) = inspect("summary", capture.folder)["profiles"]
    assert summary["files"] == len(capture.files)
    totals = {t["type"]: t["value"] for t in summary["totals"]}
    assert totals == {"cpu": capture.total(), "samples": capture.total("samples")}
    assert {f["name"]: f["value"] for f in summary["series"]} == capture.series
    stats = {f["name"]: f["value"] for f in summary["stats"]}
    assert stats["samples"] == capture.counter("stats.samples")
    assert stats["complete"] == capture.counter("stats.complete")

    functions = inspect_rows("function", capture.folder)
    assert without_zeros(functions) == without_zeros(capture.by_function())
    for label in "element", "factory", "thread", "attribution":
        rows = inspect_rows(label, capture.folder)
        expected = capture.by_label(label)
        if "" in expected:
            expected["(none)"] = expected.pop("")
        assert rows == expected
    samples = inspect_rows("element", capture.folder, "--type", "samples")
    assert sum(samples.values()) == capture.total("samples")

    folded = inspect("folded", capture.folder)
    assert sum(s["value"] for s in folded["stacks"]) == capture.total()
    for element in TWO_THREADS_BUSY:
        rows = inspect_rows("function", capture.folder, "--filter",
                            f"element={element}")
        assert sum(rows.values()) == capture.by_label("element")[element]
