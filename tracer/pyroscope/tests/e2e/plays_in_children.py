# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: plays_in_children.py METHOD SECONDS

Two children, made by multiprocessing with METHOD, play for some seconds each.
The first returns, which ends it by _exit(); the second is terminated.
"""

import ctypes
import multiprocessing
import sys
import time

PLAYING, NULL = 4, 1


def play(seconds):
    gst = ctypes.CDLL("libgstreamer-1.0.so.0")
    gst.gst_init(None, None)
    gst.gst_parse_launch.restype = ctypes.c_void_p
    pipeline = ctypes.c_void_p(
        gst.gst_parse_launch(b"videotestsrc ! videoconvert ! fakesink", None)
    )
    gst.gst_element_set_state(pipeline, PLAYING)
    time.sleep(seconds)
    gst.gst_element_set_state(pipeline, NULL)


def main():
    multiprocessing.set_start_method(sys.argv[1])
    seconds = float(sys.argv[2])
    returns = multiprocessing.Process(target=play, args=(seconds,))
    returns.start()
    print("returns", returns.pid, flush=True)
    returns.join()
    terminated = multiprocessing.Process(target=play, args=(60,))
    terminated.start()
    print("terminated", terminated.pid, flush=True)
    time.sleep(seconds)
    terminated.terminate()
    terminated.join()
    print("statuses", returns.exitcode, terminated.exitcode, flush=True)


if __name__ == "__main__":
    main()
