#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# link-distribution-plugins.sh TREE: links into TREE/distribution-plugins the
# plugins that the demo uses and that this tree does not build.
#
# Both are thin wrappers of a codec library; the time goes into the library,
# which comes from the distribution either way. Their modules (ugly, libav)
# would be two more archives and libraries' headers for two small files.
#   x264    x264enc, the demo's encoder with worker threads
#   libav   avdec_h264, the demo's decoder
# A plugin made for an older GStreamer loads in a newer one, not the reverse.
. "$(dirname -- "$0")/common.sh"

folder=$1/distribution-plugins
rm -rf "$folder"
mkdir -p "$folder"
if ! system=$(env -u PKG_CONFIG_PATH pkg-config --modversion gstreamer-1.0 2>/dev/null); then
  exit 0
fi
plugins=$(env -u PKG_CONFIG_PATH pkg-config --variable=pluginsdir gstreamer-1.0)
own=$(sed -n 's/^#define GST_VERSION_MINOR (\([0-9]*\)).*/\1/p' \
  "$1/build/subprojects/"gstreamer*/gst/gstversion.h)
[ "$(echo "$system" | cut -d. -f2)" -le "$own" ] || exit 0
for plugin in x264 libav; do
  if [ -e "$plugins/libgst$plugin.so" ]; then
    ln -s "$plugins/libgst$plugin.so" "$folder/"
  fi
done
