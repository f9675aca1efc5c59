#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# bench.sh [hooks|sampling]... [OPTIONS of bench-cost.py]: an optimized build
# with the benchmarks, then the ones that are named (both of them).
# bench.sh unwind [SECONDS]: every unwinder on the same stacks, SECONDS for each
# pipeline, and other profilers on the same pipelines.
# bench.sh names: how many frames have a name, and how many names are right.
# bench.sh owners [ROUNDS]: what thread-owners adds to calls that make threads.
. "$(dirname -- "$0")/common.sh"

what=()
if [[ ${1-} == unwind || ${1-} == owners || ${1-} == names ]]; then
  what=("$1")
  shift
fi
while [[ ${1-} == hooks || ${1-} == sampling ]]; do
  what+=("$1")
  shift
done
((${#what[@]})) || what=(hooks sampling)

configure bench
quietly "$target/.build-bench.log" ninja -C "$build"

export GST_PLUGIN_PATH=$build/tracer/pyroscope:$build/tracer/pyroscope/benchmarks
export GST_REGISTRY=$build/registry.bin
for name in "${what[@]}"; do
  if [[ $name == names ]]; then
    ninja -C "$build" symbols/tests/compare-names symbols/tests/time-names >/dev/null
    exec "$root/symbols/tests/bench-names.py" \
      "$build/tools/gst-pyroscope-inspect/gst-pyroscope-inspect" \
      "$build/symbols/tests/compare-names" "$build/symbols/tests/time-names" \
      "$target/gstreamer-native"
  fi
  if [[ $name == owners ]]; then
    exec "$build/tracer/pyroscope/benchmarks/bench-owners" "$@"
  fi
  if [[ $name == unwind ]]; then
    here=$build/tracer/pyroscope/benchmarks seconds=${1:-10}
    number=0
    while IFS= read -r _; do
      "$here/bench-unwind" "$seconds" "$number"
      "$root/tracer/pyroscope/benchmarks/bench-peers.py" \
        "$here/play-pipeline" "$number" "$seconds"
      number=$((number + 1))
    done < <("$here/play-pipeline")
    continue
  fi
  "$root/tracer/pyroscope/benchmarks/bench-cost.py" "$name" "$@"
done
