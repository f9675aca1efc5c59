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
quietly "$build.log" meson configure "$build" --prefix "$prefix"
quietly "$build.log" ninja -C "$build"

as_root=()
existing=${DESTDIR-}$prefix
while [ ! -e "$existing" ]; do
  existing=$(dirname -- "$existing")
done
if [ ! -w "$existing" ]; then
  command -v sudo >/dev/null \
    || die "$existing cannot be written: run this as root, or give prefix=DIR"
  echo "install: as root, through sudo, since $existing cannot be written"
  as_root=(sudo)
  [ -z "${DESTDIR-}" ] || as_root+=(env "DESTDIR=$DESTDIR")
fi
# Root's, perhaps, from the last time.
rm -f "$build/meson-logs/install-log.txt"
"${as_root[@]}" meson install -C "$build" --no-rebuild
