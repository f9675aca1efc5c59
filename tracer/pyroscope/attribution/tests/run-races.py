#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a program that is built with ThreadSanitizer.

usage: run-races.py PROGRAM [ARGUMENTS...]; passes its TAP on

gcc 12's runtime cannot start where addresses are more random than it knows
(vm.mmap_rnd_bits above 28): then it is started without that, if the machine
allows it; else the test is skipped.
"""

import subprocess
import sys

CANNOT_START = "ThreadSanitizer: unexpected memory mapping"


def run(command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done, CANNOT_START in done.stdout + done.stderr


def main():
    command = sys.argv[1:]
    done, cannot_start = run(command)
    if cannot_start:
        done, cannot_start = run(["setarch", "--addr-no-randomize", *command])
        if cannot_start or "setarch:" in done.stderr:
            print(f"1..0 # SKIP {CANNOT_START}, and setarch is refused")
            return 0
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
