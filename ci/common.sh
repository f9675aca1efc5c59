# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Sourced by the scripts behind the recipes: where things are, and how a long
# command keeps quiet.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
target=$root/target
packages=(gst-pyroscope-tracer gst-pyroscope-inspect)
profiles=(release debug native)

die () {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# one_of WORD WORD...: is the first among the others?
one_of () {
  local word
  for word in "${@:2}"; do
    [ "$word" != "$1" ] || return 0
  done
  return 1
}

# quietly LOG COMMAND...: output goes to LOG, and to the user only on failure.
quietly () {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname -- "$log")"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" != 0 ]; then
    cat -- "$log" >&2
    printf '%s: failed with status %s: %s\n' "${0##*/}" "$status" "$*" >&2
  fi
  return "$status"
}

# configure PROFILE [MESON-OPTION...]: sets build to a configured build folder.
# Other options than last time, or a checkout that was moved, make a new one.
configure () {
  local options
  build=$target/.build-$1
  case $1 in
    # Assertions off, symbols in: the tracer's own frames should have names.
    release) options=(--buildtype=debugoptimized -Db_ndebug=true
      -Dtests=disabled) ;;
    debug) options=(--buildtype=debug -Doptimization=g -Dwerror=true
      -Dtests=enabled) ;;
    # Optimized: it is emulated.
    aarch64) options=(--buildtype=debugoptimized -Dwerror=true
      -Dtests=enabled) ;;
    bench) options=(--buildtype=debugoptimized -Db_ndebug=true -Dtests=disabled
      -Dbenchmarks=enabled) ;;
    fuzz) options=(--buildtype=debugoptimized -Dtests=enabled -Db_lundef=false
      '-Db_sanitize=address,undefined') ;;
    # As release, but with tests, and with the flags of the GStreamer that
    # gstreamer-native/ builds.
    native*) options=(--buildtype=debugoptimized -Dtests=enabled
      --native-file "$root/gstreamer-native/native.flags.ini") ;;
  esac
  options+=("${@:2}")
  local stamp="$root ${CC-} ${PKG_CONFIG_PATH-} ${options[*]}"
  if [ -e "$build/build.ninja" ] \
    && [ "$(cat "$build/.configured" 2>/dev/null)" = "$stamp" ]; then
    return
  fi
  rm -rf "$build"
  quietly "$build.log" meson setup "${options[@]}" "$build" "$root" \
    || die "see $build/meson-logs/meson-log.txt, too"
  printf '%s\n' "$stamp" >"$build/.configured"
}

# put FILE FOLDER: as a new file, so that a running process keeps its old one;
# an unchanged file keeps its time, by which GStreamer's registry knows it.
put () {
  local to=$2/${1##*/}
  cmp -s -- "$1" "$to" && return
  mkdir -p "$2"
  cp -- "$1" "$to.new"
  mv -f -- "$to.new" "$to"
}

# files PATTERN...: the tracked files that match; without git, all that do.
files () {
  if git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
    git -C "$root" ls-files -- "$@"
  else
    local patterns=() pattern
    for pattern in "$@"; do
      patterns+=(-o -path "./$pattern")
    done
    (cd "$root" && find . \( -path ./target -o -path ./.tools \) -prune \
      -o -type f \( "${patterns[@]:1}" \) -printf '%P\n')
  fi
}
