/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What: the five kinds of work that unwinding is tested and measured on.
 * Owner: constant.
 * Threads: any.
 */
#pragma once

typedef struct {
  const char *name;
  const char *description; /* for gst_parse_launch; plays until stopped */
} PyroTestPipeline;

static const PyroTestPipeline pyro_test_pipelines[] = {
  { "x264 and libav transcode",
    "videotestsrc pattern=ball ! video/x-raw,width=640,height=360 "
    "! x264enc speed-preset=fast tune=zerolatency ! h264parse ! avdec_h264 "
    "! videoconvert ! avenc_mpeg4 ! fakesink" },
  { "vp8 and jpeg",
    "videotestsrc pattern=snow ! video/x-raw,width=320,height=240 "
    "! vp8enc deadline=1 ! vp8dec ! jpegenc ! jpegdec ! fakesink" },
  { "audio resampling and mixing",
    "audiotestsrc ! audioresample ! audioconvert "
    "! audio/x-raw,format=F32LE,rate=96000,channels=2 ! audiomixer name=mix "
    "! audioconvert ! audioresample ! audio/x-raw,rate=44100 ! vorbisenc "
    "! vorbisdec ! fakesink  audiotestsrc wave=saw ! volume volume=0.3 "
    "! audioresample ! audioconvert "
    "! audio/x-raw,format=F32LE,rate=96000,channels=2 ! mix." },
  { "demux and remux",
    "videotestsrc ! video/x-raw,width=160,height=120 "
    "! x264enc speed-preset=ultrafast ! matroskamux streamable=true "
    "! matroskademux ! h264parse ! mpegtsmux ! tsdemux ! h264parse "
    "! mp4mux fragment-duration=200 ! fakesink" },
  { "compositor",
    "compositor name=c sink_1::xpos=40 sink_1::alpha=0.5 ! videoconvert "
    "! videoscale ! video/x-raw,format=BGRA,width=400,height=300 ! fakesink "
    "videotestsrc ! video/x-raw,width=320,height=240 ! c.sink_0 "
    "videotestsrc pattern=snow ! video/x-raw,width=320,height=240 "
    "! c.sink_1" },
};
