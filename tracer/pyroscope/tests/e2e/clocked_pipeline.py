# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program that plays a pipeline and reads the CPU clocks around it.

  clocked_pipeline.py ELEMENT...

Prints, as JSON and in nanoseconds, what the process used between the first
change of state and just before gst_deinit(), and what each thread had used at
the end of the stream, by name.
"""

import ctypes
import json
import sys
import time
from collections import Counter
from pathlib import Path

STATE_NULL, STATE_PLAYING = 1, 4
MESSAGE_EOS, MESSAGE_ERROR = 1, 2
FOREVER = 2**64 - 1

gst = ctypes.CDLL("libgstreamer-1.0.so.0")
gst.gst_parse_launch.restype = ctypes.c_void_p
gst.gst_element_get_bus.restype = ctypes.c_void_p
gst.gst_bus_timed_pop_filtered.restype = ctypes.c_void_p
gst.gst_bus_timed_pop_filtered.argtypes = [
    ctypes.c_void_p,
    ctypes.c_uint64,
    ctypes.c_int,
]


def process_ns():
    return time.clock_gettime_ns(time.CLOCK_PROCESS_CPUTIME_ID)


def thread_ns():
    """CPU time of each thread by name; of those with one name together. The
    first number in schedstat is what the thread's CPU clock says."""
    used = Counter()
    for task in Path("/proc/self/task").iterdir():
        name = (task / "comm").read_text().rstrip("\n")
        used[name] += int((task / "schedstat").read_text().split()[0])
    return dict(used)


def main():
    gst.gst_init(None, None)
    description = " ".join(sys.argv[1:]).encode()
    pipeline = ctypes.c_void_p(gst.gst_parse_launch(description, None))
    bus = ctypes.c_void_p(gst.gst_element_get_bus(pipeline))

    begin = process_ns()
    gst.gst_element_set_state(pipeline, STATE_PLAYING)
    message = gst.gst_bus_timed_pop_filtered(bus, FOREVER, MESSAGE_EOS | MESSAGE_ERROR)
    threads = thread_ns()
    gst.gst_mini_object_unref(ctypes.c_void_p(message))
    gst.gst_element_set_state(pipeline, STATE_NULL)
    gst.gst_object_unref(bus)
    gst.gst_object_unref(pipeline)
    end = process_ns()
    gst.gst_deinit()
    json.dump({"process": end - begin, "threads": threads}, sys.stdout)


main()
