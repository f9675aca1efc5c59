#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the machine code of handler-safe objects.

usage: check-handler-code.py OBJDUMP ARCHIVE

No instruction may use thread-local memory (%fs on x86_64, tpidr_el0 on
aarch64), make a system call, or leave the objects by the PLT or the GOT.
"""

import re
import subprocess
import sys

FORBIDDEN = {
    "thread-local memory": re.compile(r"%[fg]s:|tpidr_el0"),
    "a system call": re.compile(r"\t(syscall|sysenter|int +\$0x80|svc)\b"),
    "a call through the PLT": re.compile(r"@plt|R_\w*PLT32?\t(?!pyro_)"),
    "an address from the GOT": re.compile(r"R_\w*GOTP?\w*\t(?!pyro_)"),
    "a thread-local relocation": re.compile(r"R_\w*(TPOFF|DTP|TLS|GOTTP)\w*"),
}


def main():
    objdump, archive = sys.argv[1:3]
    text = subprocess.run(
        [objdump, "-dr", archive], check=True, capture_output=True, text=True
    ).stdout
    problems, member, function, n = [], "", "", 0
    for line in text.splitlines():
        found = re.match(r"^(\S+\.o):", line)
        member = found.group(1) if found else member
        found = re.match(r"^[0-9a-f]+ <(.*)>:", line)
        function = found.group(1) if found else function
        n += line.startswith(" ")
        for what, pattern in FORBIDDEN.items():
            if pattern.search(line):
                problems.append(f"{member}: {function}: {what}: {line.strip()}")
    if n < 100:
        problems.append(f"{archive}: only {n} instructions")
    print("1..1")
    print(("not ok" if problems else "ok") + " 1 handler-safe code stays inside")
    for problem in problems:
        print("# " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
