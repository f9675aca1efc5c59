#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Formats C and Go code, and renews what is generated from lists.
. "$(dirname -- "$0")/common.sh"
cd "$root"

mapfile -t c_files < <(files '*.c' '*.h')
clang-format-14 -i "${c_files[@]}"
mapfile -t go_files < <(files '*.go')
[ "${#go_files[@]}" = 0 ] || gofmt -w "${go_files[@]}"
python3 ci/readme-table.py
