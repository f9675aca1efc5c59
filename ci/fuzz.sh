#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fuzz.sh [SECONDS [PARSER...]]: mangled input for SECONDS (60) in all, shared by
# the parsers (cfi, profile, settings, elf), under AddressSanitizer and UBSan;
# with libFuzzer where clang has it, else with a driver of our own. What breaks a
# parser is left in target/fuzz/PARSER/.
. "$(dirname -- "$0")/common.sh"

seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "'$seconds' is no number of seconds"
parsers=("${@:2}")
known=(cfi profile settings elf)
((${#parsers[@]})) || parsers=("${known[@]}")
for parser in "${parsers[@]}"; do
  one_of "$parser" "${known[@]}" \
    || die "unknown parser '$parser'; there are: ${known[*]}"
done

export CC=cc
kind=mangle options=()
for clang in clang clang-14; do
  if command -v "$clang" >/dev/null; then
    CC=$clang kind=fuzz options=(-Dc_args=-fsanitize=fuzzer-no-link)
  fi
done
configure fuzz "-Dlibunwind=disabled" "${options[@]}"
programs=(symbols/tests/libsample-dwarf{4,5}.so)
for parser in "${parsers[@]}"; do
  programs+=("ci/fuzz/mangle-$parser")
  [ "$kind" = mangle ] || programs+=("ci/fuzz/fuzz-$parser")
done
quietly "$target/.build-fuzz.log" ninja -C "$build" "${programs[@]}"

export ASAN_OPTIONS=abort_on_error=1
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
status=0
share=$((seconds / ${#parsers[@]}))
for parser in "${parsers[@]}"; do
  corpus=$target/fuzz/$parser
  files=()
  [ "$parser" != elf ] || files=("$build"/symbols/tests/libsample-dwarf{4,5}.so)
  mkdir -p "$corpus/seeds"
  cd -- "$corpus"
  "$build/ci/fuzz/mangle-$parser" "-write-seeds=$corpus/seeds" "${files[@]}"
  arguments=("-max_total_time=$((share > 0 ? share : 1))")
  if [ "$kind" = fuzz ]; then
    mkdir -p found
    arguments+=(-max_len=131072 -timeout=20 -rss_limit_mb=3000
      -print_final_stats=1 found seeds)
  else
    arguments+=("-seed=$RANDOM" seeds/*)
  fi
  printf '== %s, %s s with %s\n' "$parser" "$share" \
    "$([ "$kind" = fuzz ] && echo libFuzzer || echo 'our own driver')"
  if ! "$build/ci/fuzz/$kind-$parser" "${arguments[@]}" >log 2>&1; then
    status=1
    tail -n 60 log
  else
    # libFuzzer's last figures, or our driver's line.
    grep -E '^stat::number_of_executed|cov: .*DONE|mangled inputs' log || true
  fi
done
exit "$status"
