#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shell.sh [COMMAND...]: a shell, or the command, in the pinned GStreamer with
# our plugin and tool. Builds what is not built yet; all it says while it does
# goes to stderr, stdout is the command's.
. "$(dirname -- "$0")/common.sh"

if ! "$native/gst-env.py" --only-environment >/dev/null 2>&1; then
  echo "gstreamer-native: not built yet, building it first" >&2
  "$native/build.sh" >&2
fi
# The distribution's may have come or gone since.
"$native/link-distribution-plugins.sh" "$root/target/gstreamer-native"
for package in gst-pyroscope-tracer gst-pyroscope-inspect; do
  "$root/ci/build-package.sh" "$package" native >/dev/null
done
exec "$native/gst-env.py" "$@"
