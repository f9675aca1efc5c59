#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# aarch64.sh [OPTIONS of meson test]: the tracer for aarch64 by a cross compiler,
# warning-free, and the tests of unwinding by qemu's emulation of one process.
# The libraries are Debian's arm64 packages, unpacked in target/aarch64/root;
# neither the machine's packages nor its list of architectures change.
. "$(dirname -- "$0")/common.sh"

debs=(
  libc6-dev libcurl4-gnutls-dev libdw-dev libelf-dev libglib2.0-dev
  libgstreamer-plugins-base1.0-dev libgstreamer1.0-dev libiberty-dev
  liblzma-dev libprotobuf-c-dev libunwind-dev zlib1g-dev
)

# fetch_root FOLDER: what these packages and those that they need contain
fetch_root () {
  local folder=$1 apt=$target/aarch64/apt package
  mkdir -p "$apt"/{lists,cache/archives}/partial
  : >"$apt/status" # nothing is installed
  cat >"$apt/apt.conf" <<END
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Debug::NoLocking "true";
END
  export APT_CONFIG=$apt/apt.conf
  # A source that cannot be asked need not be the one that has them.
  apt-get -q update
  apt-get -q -y --download-only install "${debs[@]}" || return
  # Aside and renamed: an interrupted run leaves nothing that looks whole.
  rm -rf "$folder" "$folder.part"
  mkdir "$folder.part" || return
  for package in "$apt"/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$folder.part" || return
  done
  printf '%s\n' "${debs[*]}" >"$folder.part/.packages" || return
  mv "$folder.part" "$folder" && rm -rf "$apt"
}

fetched=$target/aarch64/root
if [ "$(cat "$fetched/.packages" 2>/dev/null)" != "${debs[*]}" ]; then
  (quietly "$target/aarch64.log" fetch_root "$fetched") \
    || die "Debian's arm64 packages could not be fetched"
fi
paths=$target/aarch64/paths.ini
printf "[constants]\nroot = '%s'\n" "$fetched" >"$paths"

configure aarch64 --cross-file "$paths" --cross-file "$root/ci/aarch64.ini"
quietly "$target/.build-aarch64.log" ninja -C "$build"

# What qemu cannot show, and why.
maps="/proc/self/task/*/maps is the host's"
again='the program starts itself again, which the host would have to emulate'
declare -A cannot=(
  [/stacks/nested-signals-on-an-alternate-stack]="qemu's way back from a handler is not the kernel's"
  [/stacks/a-signal-on-an-alternate-stack-in-a-coroutine]="qemu's way back from a handler is not the kernel's"
  [/stacks/threads-on-their-own-memory]=$maps
  [/stacks/what-is-not-the-threads-own-is-read-frame-by-frame]=$maps
  [/stacks/the-main-thread-may-be-gone]=$again
  [/modules/addresses-are-used-again]='no address is used again'
  [/modules/a-truncated-file-is-survived]=$again
  [/modules/executable-memory-of-nobody-has-a-name]=$maps
  [/stress/an-allocation-in-a-handler-would-end-this-program]=$again
  [/stress/the-handler-makes-no-system-call]=$again
)
arguments=()
for path in "${!cannot[@]}"; do
  arguments+=("-s $path")
done
meson test --no-rebuild -C "$build" --suite unwinding \
  --test-args "${arguments[*]}" "$@"
printf '\nnot run, since the processor is only emulated:\n'
for path in "${!cannot[@]}"; do
  printf '  %s: %s\n' "$path" "${cannot[$path]}"
done | sort
