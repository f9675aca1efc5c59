# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pipelines for tests, as gst-launch-1.0 takes them. The sizes are chosen so
that a run takes one to a few seconds of CPU time."""

# Where a pipeline only has to run.
SHORT = "videotestsrc num-buffers=60 ! fakesink"

# At its own pace: its wall time says whether anything held it up.
LIVE = "videotestsrc is-live=true num-buffers=45 ! videoconvert ! fakesink"
ENDLESS = "videotestsrc ! videoconvert ! fakesink"


def two_threads(buffers: int = 250, live: bool = False) -> str:
    """Three elements that use the CPU about alike, in two streaming threads.
    One name is not ASCII, as anybody may give one. LIVE: 60 buffers a second,
    however fast the machine is."""
    source = "is-live=true " if live else ""
    return (
        f"videotestsrc {source}num-buffers={buffers} pattern=ball name=source ! "
        "video/x-raw,format=I420,width=640,height=360,framerate=60/1 ! "
        "videoconvert name=färben n-threads=1 ! video/x-raw,format=ARGB64 ! queue ! "
        "videoscale name=scale n-threads=1 ! video/x-raw,width=960,height=540 ! "
        "fakesink"
    )


# Names of the elements that use the CPU there.
TWO_THREADS_BUSY = {"source", "färben", "scale"}
