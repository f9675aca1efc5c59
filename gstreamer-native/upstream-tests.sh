#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# upstream-tests.sh [version=X.Y.Z] [OPTIONS of upstream-tests.py] [NAME...]:
# builds the unit tests of GStreamer's core, base and good modules, once, and
# runs each of them without our tracer and with it.
# MESON and NINJA name other programs than those on PATH.
. "$(dirname -- "$0")/common.sh"

if [[ ${1-} == version=* ]]; then
  choose_version "$1"
  shift
else
  choose_version
fi
meson=${MESON:-meson} ninja=${NINJA:-ninja}
stage=$tree/upstream/source
build=$tree/upstream/build

mkdir -p "$stage/subprojects" "$tree/source/subprojects/packagecache"
exec 9>"$tree/upstream/.lock"
flock -n 9 || { echo "gstreamer-native: waiting for another build" >&2; flock 9; }
# The archives are those of the tree that `just gstreamer-native` builds.
ln -sfn ../../../source/subprojects/packagecache "$stage/subprojects/packagecache"
python3 "$native/fetch.py" --version "$version" "$stage"

stamp="$version $("$meson" --version) $(cat "$native/upstream-tests.meson.build" \
  "$native/native.flags.ini" | sha256sum) $stage"
if [ "$(cat "$tree/upstream/.configured" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$build" "$tree/upstream/.configured"
  find "$stage/subprojects" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
  cp "$native/upstream-tests.meson.build" "$stage/meson.build"
  echo "gstreamer-native: configuring the tests of GStreamer $version"
  log=$tree/upstream/configure.log
  if ! "$meson" setup "$build" "$stage" \
    --native-file "$native/native.flags.ini" >"$log" 2>&1; then
    tail -n 25 "$log" >&2
    die "meson could not configure them; all it said is in $log"
  fi
  printf '%s\n' "$stamp" >"$tree/upstream/.configured"
fi
log=$tree/upstream/build.log
echo "gstreamer-native: compiling the tests of GStreamer $version (once: some 1800 steps)"
if ! nice "$ninja" -C "$build" >"$log" 2>&1; then
  tail -n 25 "$log" >&2
  die "they did not compile; all it said is in $log"
fi
flock -u 9

"$root/ci/build-package.sh" gst-pyroscope-tracer release >/dev/null
exec "$native/upstream-tests.py" --meson "$meson" --build "$build" \
  --plugin "$root/target/release" "$@"
