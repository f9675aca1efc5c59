# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program whose one thread works, and then waits for a signal."""

import ctypes
import signal
import time

gst = ctypes.CDLL("libgstreamer-1.0.so.0")
gobject = ctypes.CDLL("libgobject-2.0.so.0")
gst.gst_init(None, None)
gst.gst_tracing_get_active_tracers.restype = ctypes.POINTER(ctypes.c_void_p)
tracer = ctypes.c_void_p(gst.gst_tracing_get_active_tracers()[0])
gobject.g_signal_emit_by_name(tracer, b"start")
end = time.monotonic() + 0.5
while time.monotonic() < end:
    pass
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("waits", flush=True)
signal.pause()
print("goes on", flush=True)
