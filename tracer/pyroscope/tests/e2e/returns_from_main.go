// SPDX-License-Identifier: LGPL-2.1-or-later

// A Go program that plays what its arguments describe for some seconds, stops
// it in an orderly way, and returns from main: that is the system call
// exit_group, which no function of the C library's sees.
//
// usage: returns_from_main SECONDS DESCRIPTION...
package main

// #cgo pkg-config: gstreamer-1.0
// #include <gst/gst.h>
// #include <stdlib.h>
import "C"

import (
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

func main() {
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil {
		panic(err)
	}
	description := C.CString(strings.Join(os.Args[2:], " "))
	defer C.free(unsafe.Pointer(description))
	C.gst_init(nil, nil)
	pipeline := C.gst_parse_launch(description, nil)
	C.gst_element_set_state(pipeline, C.GST_STATE_PLAYING)
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	C.gst_element_send_event(pipeline, C.gst_event_new_eos())
	bus := C.gst_element_get_bus(pipeline)
	message := C.gst_bus_timed_pop_filtered(bus, C.GST_CLOCK_TIME_NONE,
		C.GST_MESSAGE_EOS|C.GST_MESSAGE_ERROR)
	C.gst_message_unref(message)
	C.gst_object_unref(C.gpointer(bus))
	C.gst_element_set_state(pipeline, C.GST_STATE_NULL)
	C.gst_object_unref(C.gpointer(pipeline))
}
