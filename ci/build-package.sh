#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# build-package.sh PACKAGE [PROFILE]: leaves the package's file in
# target/PROFILE/, which GST_PLUGIN_PATH may name.
. "$(dirname -- "$0")/common.sh"

package=${1-} profile=${2:-release}
one_of "$package" "${packages[@]}" \
  || die "unknown package '$package'; there are: ${packages[*]}"
one_of "${profile%-1.[0-9]*}" "${profiles[@]}" \
  || die "unknown profile '$profile'; there are: ${profiles[*]}"

# native is built against the GStreamer that gstreamer-native/ builds, and
# native-VERSION against another version of it.
if [[ $profile == native* && ${built_for-} != "$profile" ]]; then
  built_for=$profile exec "$root/gstreamer-native/gst-env.py" --builddir \
    "$target/gstreamer-$profile/build" "$0" "$@"
fi

case $package in
  gst-pyroscope-tracer) file=tracer/pyroscope/libgstpyroscopetracer.so ;;
  gst-pyroscope-inspect) file=tools/gst-pyroscope-inspect/gst-pyroscope-inspect ;;
esac
configure "$profile"
quietly "$target/.build-$profile.log" ninja -C "$build" "$file"
put "$build/$file" "$target/$profile"
printf 'built %s\n' "target/$profile/${file##*/}"
