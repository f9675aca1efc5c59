#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# build.sh [VERSION]: fetches, configures and compiles GStreamer with
# native.flags.ini. What is already there is not made again.
# MESON and NINJA name other programs than those on PATH.
. "$(dirname -- "$0")/common.sh"

[ $# -le 1 ] || die "usage: build.sh [VERSION]"
choose_version "${1-}"
meson=${MESON:-meson} ninja=${NINJA:-ninja}

for tool in "$meson" "$ninja" cc flex bison pkg-config python3; do
  command -v "$tool" >/dev/null || missing+=" $tool"
done
[ -z "${missing-}" ] || die "not installed:$missing (see the packages of" \
  "\`gstreamer-native\` in ci/packages.txt)"

# The plugin list in meson.build names options that 1.22 brought.
at_least "$version" 1.22.0 \
  || die "GStreamer $version is too old for the plugin list in" \
    "gstreamer-native/meson.build; 1.22.0 is the first that has all of it"

mkdir -p "$tree"
exec 9>"$tree/.lock"
flock -n 9 || { echo "gstreamer-native: waiting for another build" >&2; flock 9; }

python3 "$native/fetch.py" --version "$version" "$stage"

# What this version's own build wants, before meson says it in its own way.
have=$("$meson" --version)
need=$(tar -xOf "$stage/subprojects/packagecache/gstreamer-$version.tar.xz" \
  "gstreamer-$version/meson.build" \
  | sed -n "s/^ *meson_version *: *'>= *\([0-9.]*\)'.*/\1/p" | head -n 1)
at_least "$have" "${need:-1.0}" \
  || die "GStreamer $version needs meson >= $need, $meson is $have;" \
    "name a newer one with MESON=/path/to/meson" \
    "(python3 -m venv DIR && DIR/bin/pip install 'meson>=$need' makes one)"

# Other flags or another plugin list than last time: configure from scratch.
stamp="$version $have $(cat "$native/meson.build" "$native/native.flags.ini" \
  | sha256sum) $stage"
if [ "$(cat "$tree/.configured" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$build" "$tree/.configured"
  # An interrupted run may have left half an archive unpacked.
  find "$stage/subprojects" -mindepth 1 -maxdepth 1 -type d \
    ! -name packagecache -exec rm -rf {} +
  cp "$native/meson.build" "$stage/"
  echo "gstreamer-native: configuring GStreamer $version"
  log=$tree/configure.log
  if ! "$meson" setup "$build" "$stage" \
    --native-file "$native/native.flags.ini" >"$log" 2>&1; then
    tail -n 25 "$log" >&2
    die "meson could not configure GStreamer $version; all it said is in $log"
  fi
  printf '%s\n' "$stamp" >"$tree/.configured"
fi

# ninja shows its progress itself: a line that moves on a terminal, and on
# none every fiftieth step, so that a log stays readable.
if [ -t 1 ]; then
  "$ninja" -C "$build"
else
  "$ninja" -C "$build" | awk '
    /^\[[0-9]+\/[0-9]+\]/ {
      split(substr($1, 2), step, "[/\\]]")
      if (step[1] % 50 == 0 || step[1] == step[2]) print
      fflush(); next
    }
    { print; fflush() }'
fi || die "GStreamer $version did not compile; the error is above"

"$native/link-distribution-plugins.sh" "$tree"
built=$(du -sm "$tree" | cut -f1)
echo "gstreamer-native: GStreamer $version is ready in ${tree#"$root"/}" \
  "($built MB); enter it with" \
  "gstreamer-native/gst-env.py$([ "$tree" = "$root/target/gstreamer-native" ] \
    || echo " --builddir ${build#"$root"/}")"
