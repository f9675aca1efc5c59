#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Looks at everything that has a rule a machine can check; says all that is
# wrong, then exits with 1 if anything was.
. "$(dirname -- "$0")/common.sh"
cd "$root"

status=0
wrong () {
  printf 'lint: %s\n' "$*" >&2
  status=1
}

mapfile -t c_files < <(files '*.c' '*.h')
clang-format-14 --dry-run --Werror "${c_files[@]}" \
  || wrong "C formatting, \`just format\` mends it"

mapfile -t scripts < <(files '*.sh' justw '.ci/run')
shellcheck -x -S warning "${scripts[@]}" || wrong 'shell scripts, see above'

mapfile -t go_files < <(files '*.go')
if [ "${#go_files[@]}" != 0 ]; then
  unformatted=$(gofmt -l "${go_files[@]}")
  [ -z "$unformatted" ] || wrong "Go formatting, \`just format\` mends it:" \
    "$unformatted"
  (cd ci/pushserver && go vet ./...) || wrong 'go vet, see above'
fi

python3 ci/readme-table.py --check \
  || wrong 'README.md: the table of dependencies is not that of ci/packages.txt'

while read -r file; do
  head -n 5 "$file" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' \
    || wrong "$file: no SPDX line at its top"
done < <(files '*.c' '*.cc' '*.h' '*.S' '*.go' '*.py' '*.sh' '*meson.build' \
  '*meson_options.txt' justfile justw '.ci/run')

# The compiler's warnings are errors in the debug profile, meson's are here.
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
quietly "$target/lint.log" meson setup --fatal-meson-warnings "$scratch/build" \
  "$root" || wrong 'meson.build, see above'
configure debug
quietly "$target/lint.log" ninja -C "$build" all || wrong 'the build, see above'

[ "$status" != 0 ] || echo 'lint: nothing to say'
exit "$status"
