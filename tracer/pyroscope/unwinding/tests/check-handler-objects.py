#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that handler-safe objects need nothing from outside.

usage: check-handler-objects.py NM ARCHIVE

Every symbol that an object of ARCHIVE refers to has to be defined in ARCHIVE:
no libc (not even memcpy), no __tls_get_addr, no __stack_chk_fail, no malloc.
Thread-local symbols are refused, too, and so are writable data other than the
published pointers, which are zero at first and stand in .bss.
"""

import re
import subprocess
import sys

# Made up by the linker, not imported from anywhere.
HARMLESS = {"_GLOBAL_OFFSET_TABLE_"}


def main():
    nm, archive = sys.argv[1:3]
    text = subprocess.run(
        [nm, "--format=posix", archive], check=True, capture_output=True, text=True
    ).stdout
    defined, undefined, problems = set(), [], []
    member = archive
    for line in text.splitlines():
        found = re.match(r".*\[(.*)\]:$", line)
        if found:
            member = found.group(1)
            continue
        name, kind = line.split()[:2]
        if kind in "Uwv":
            undefined.append((member, name))
        else:
            defined.add(name)
        if kind in "Dd" and not name.startswith("."):
            problems.append(f"{member}: writable data {name}")
        if name.startswith("__tls") or name.startswith("__stack_chk"):
            problems.append(f"{member}: {name}")
    for member, name in undefined:
        if name not in defined and name not in HARMLESS:
            problems.append(f"{member}: undefined symbol {name}")
    if not defined:
        problems.append(f"{archive}: no symbols at all")
    print("1..1")
    if problems:
        print("not ok 1 handler-safe objects need nothing from outside")
        for problem in problems:
            print("# " + problem)
        return 1
    print("ok 1 handler-safe objects need nothing from outside")
    return 0


if __name__ == "__main__":
    sys.exit(main())
