# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by the scripts of this folder: which version, and where its tree is.
set -euo pipefail

native=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
root=${native%/*}

die () {
  printf 'gstreamer-native: %s\n' "$*" >&2
  exit 1
}

# choose_version [VERSION | version=VERSION]: sets version, tree (everything
# that belongs to it), stage (the super-project) and build (what meson made).
# The pinned version lives in target/gstreamer-native, others beside it.
# shellcheck disable=SC2034 # for the script that sources this
choose_version () {
  local pinned
  pinned=$(sed -n 's/^version *= *//p' "$native/sources.ini")
  version=${1-}
  version=${version#version=}
  version=${version:-$pinned}
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] \
    || die "version=$version is not a release of GStreamer; write it like $pinned"
  tree=$root/target/gstreamer-native
  [ "$version" = "$pinned" ] || tree+=-$version
  stage=$tree/source
  build=$tree/build
}

# at_least VERSION MINIMUM
at_least () {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}
