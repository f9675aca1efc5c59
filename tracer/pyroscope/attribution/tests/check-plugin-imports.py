#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that the plugin imports no unwinder.

usage: check-plugin-imports.py NM PLUGIN.so; prints TAP

Which library's _Unwind_Backtrace() it would get depends on the process: one
takes locks and memory, another lacks a function, and the plugin is not loaded.
"""

import subprocess
import sys


def main():
    nm, plugin = sys.argv[1:3]
    lines = subprocess.run([nm, "-D", "--undefined-only", plugin], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    names = [line.split()[-1].split("@")[0] for line in lines if line]
    found = [name for name in names if name.startswith("_Unwind_")]
    # Something else must be imported, or the names were not read.
    ok = not found and "pthread_create" in names
    print("1..1")
    print(("ok" if ok else "not ok") + " 1 the plugin imports no unwinder")
    for name in found:
        print("# " + name)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
