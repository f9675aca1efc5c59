#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# install.sh [prefix=DIR]: installs the release build. Without a prefix the
# plugin goes beside GStreamer's own, where gst-inspect-1.0 finds it. DESTDIR
# counts as usual.
. "$(dirname -- "$0")/common.sh"

prefix=$(pkg-config --variable=prefix gstreamer-1.0)
for argument; do
  case $argument in
    prefix=/*) prefix=${argument#prefix=} ;;
    *) die "'$argument': only prefix=DIR, with an absolute DIR, is known" ;;
  esac
done
build=$target/.build-release
meson configure "$build" --prefix "$prefix"
meson install -C "$build"
