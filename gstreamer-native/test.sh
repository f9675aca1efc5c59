#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# test.sh [VERSION]: our tests against the GStreamer of this folder.
. "$(dirname -- "$0")/common.sh"

[ $# -le 1 ] || die "usage: test.sh [VERSION]"
choose_version "${1-}"
"$native/build.sh" "$version"
exec "$native/gst-env.py" --builddir "$build" \
  "$root/ci/test.py" --profile "native${tree#"$root/target/gstreamer-native"}" \
  programs end-to-end
