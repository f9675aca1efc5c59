#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""bench-names.py INSPECT COMPARE-NAMES TIME-NAMES NATIVE: where the names of the
frames of five pipelines come from, with the GStreamer that is installed, and
beside that what perf (where it is installed) names of the functions that were
executing; what it takes to find the names; and how many of those from debug
statements are right, by the GStreamer that was built from source in the folder
NATIVE (where there is one)."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

RAW = "video/x-raw,width=640,height=360"
PIPELINES = {
    "encode": f"videotestsrc num-buffers=200 ! {RAW} ! videoconvert ! x264enc"
              " ! avdec_h264 ! videoconvert ! videoscale"
              " ! video/x-raw,width=320,height=180 ! fakesink"
              " audiotestsrc num-buffers=2000 ! audioconvert ! audioresample"
              " ! audio/x-raw,rate=48000 ! opusenc ! fakesink",
    "transcode": "compositor name=c sink_1::alpha=0.5 ! videoconvert"
                 " ! tee name=t t. ! queue ! x264enc speed-preset=ultrafast"
                 " ! matroskamux ! filesink location={folder}/a.mkv"
                 " t. ! queue ! vp8enc deadline=1 ! matroskamux ! fakesink"
                 f" videotestsrc num-buffers=100 ! {RAW} ! c."
                 f" videotestsrc pattern=ball num-buffers=100 ! {RAW} ! c.",
    "audio": "audiotestsrc num-buffers=100000 ! queue ! tee name=t"
             " t. ! queue ! audioconvert ! volume ! fakesink"
             " t. ! queue ! level ! fakesink",
    "play": "filesrc location={folder}/a.mkv ! decodebin ! videoconvert"
            " ! videoflip method=1 ! videobalance contrast=0.5 ! jpegenc"
            " ! multipartmux ! fakesink",
    "rtp": "videotestsrc num-buffers=300 ! video/x-raw,width=320,height=240"
           " ! theoraenc ! rtptheorapay ! rtpjitterbuffer ! rtptheoradepay"
           " ! theoradec ! deinterlace ! videorate ! fakesink",
}
PLACE = re.compile(r"!0x[0-9a-f]+$")
OURS = re.compile(r"lib(gst|glib-|gobject-|gmodule-|gio-)")


def play(pipeline, folder):
    captures = folder / "captures"
    env = {**os.environ, "GST_TRACERS": "pyroscope(server-url=\"\","
           f"output-dir={captures},sample-rate=500)"}
    command = ["gst-launch-1.0", "-q"] + pipeline.format(folder=folder).split()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL,
                   timeout=120)
    return captures


def perf_leaves(pipeline, folder):
    """{True: GStreamer and GLib, False: others} → (leaves with a name, all)."""
    data = folder / "perf.data"
    command = ["gst-launch-1.0", "-q"] + pipeline.format(folder=folder).split()
    subprocess.run(["perf", "record", "-q", "-e", "cpu-clock:u", "-F", "500",
                    "-o", data, "--"] + command, check=True, timeout=120,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"],
                          check=True, capture_output=True, text=True).stdout
    counts = {True: [0, 0], False: [0, 0]}
    for line in text.splitlines():
        found = re.match(r"\s*[0-9a-f]+ (.*) \((.*)\)$", line)
        if found:
            count = counts[bool(OURS.match(
                pathlib.PurePath(found[2]).name))]
            count[0] += found[1] != "[unknown]"
            count[1] += 1
    return counts


def origin(line):
    if PLACE.search(line["name"]):
        return "none"
    return "statements" if PLACE.search(line["system_name"]) else "symbols"


def count(inspect, captures, leaves=False):
    """{True: frames of GStreamer and GLib, False: others} → origin → CPU. With
    LEAVES, of what was executing alone."""
    dump = json.loads(subprocess.run(
        [inspect, "dump", "--format=json", captures], check=True,
        capture_output=True).stdout)
    mappings = {m["id"]: pathlib.PurePath(m["filename"]).name
                for m in dump["mappings"]}
    frames = {}
    for location in dump["locations"]:
        if location["mapping_id"] and location["lines"]:
            frames[location["id"]] = (
                bool(OURS.match(mappings[location["mapping_id"]])),
                origin(location["lines"][-1]))
    sums = {True: {}, False: {}}
    for sample in dump["samples"]:
        for ident in sample["location_ids"][:1 if leaves else None]:
            if ident in frames:
                ours, where = frames[ident]
                sums[ours][where] = (sums[ours].get(where, 0)
                                     + sample["values"][-1])
    return sums


def row(name, sums):
    total = sum(sums.values()) or 1
    print(f"| {name:26}", *(f"{100 * sums.get(where, 0) / total:6.1f} %"
                            for where in ("symbols", "statements", "none")),
          sep=" | ", end=" |\n", flush=True)


def leaf_row(name, sums, perf):
    total = sum(sums.values()) or 1
    named = total - sums.get("none", 0)
    print(f"| {name:26} | {100 * named / total:6.1f} % |"
          f" {100 * perf[0] / (perf[1] or 1):6.1f} % |")


def print_leaves(inspect, places):
    """What perf looks at are processes of its own, which play the same."""
    if shutil.which("perf") is None:
        print("\nno perf in PATH, so nothing to compare with")
        return
    print("\n| functions that were executing, by CPU time | named | by perf |")
    print("|---|---|---|")
    for name, place in places.items():
        sums = count(inspect, place / "captures", leaves=True)
        perf = perf_leaves(PIPELINES[name], place)
        leaf_row(f"{name}: GStreamer and GLib", sums[True], perf[True])
        leaf_row(f"{name}: all other code", sums[False], perf[False])


def main():
    inspect, compare, time_names, native = sys.argv[1:]
    places = {}
    print("| frames by CPU time         |  symbols | statements | none |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, pipeline in PIPELINES.items():
            place = pathlib.Path(folder) / name
            place.mkdir()
            if name == "play":
                (place / "a.mkv").symlink_to(f"{folder}/transcode/a.mkv")
            sums = count(inspect, play(pipeline, place))
            row(f"{name}: GStreamer and GLib", sums[True])
            row(f"{name}: all other code", sums[False])
            places[name] = place
        print_leaves(inspect, places)
        print("\nto name all that one capture of each has:")
        for name, place in places.items():
            capture = sorted((place / "captures").glob("*.pb.gz"))[0]
            print(f"{name}: ", end="", flush=True)
            subprocess.run([time_names, capture], check=True)
    libraries = sorted({path.resolve() for path
                        in pathlib.Path(native).rglob("libgst*.so*")
                        if path.is_file() and path.suffix != ".symbols"
                        and path.suffix != ".py"})
    if not libraries:
        print(f"\n{native}: no GStreamer from source (just gstreamer-native), "
              "so no names to compare with")
        return
    sys.exit(subprocess.run([compare, "5", *libraries]).returncode)


if __name__ == "__main__":
    main()
