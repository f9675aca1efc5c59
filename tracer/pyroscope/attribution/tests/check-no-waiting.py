#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that code which runs inside the application's calls cannot wait.

usage: check-no-waiting.py NM ARCHIVE; prints TAP

Its objects must not refer to anything that locks, waits or sleeps. What they
call of ours is checked where it is; the loader's list is read by functions of
unwinding/loader.h that say so.
"""

import re
import subprocess
import sys

WAITING = re.compile(
    r"^(g_(rec_)?mutex_|g_rw_lock_|g_cond_|g_once_|g_async_queue_|g_bit_lock"
    r"|g_intern_|g_quark_from|g_usleep|pthread_(mutex|rwlock|cond|spin|barrier|join)"
    r"|sem_(timed|clock)?wait|mtx_|cnd_|(clock_)?nanosleep|usleep|sleep|poll"
    r"|select|__lll_|pyro_loader_(get_counters|list|copy))")


def main():
    nm, archive = sys.argv[1:3]
    text = subprocess.run([nm, "--undefined-only", archive], check=True,
                          capture_output=True, text=True).stdout
    member, n, found = "", 0, []
    for line in text.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line.strip():
            name = line.split()[-1].split("@")[0]
            n += 1
            if WAITING.match(name):
                found.append(f"{member}: {name}")
    ok = not found and n > 50
    print("1..1")
    print(("ok" if ok else "not ok")
          + " 1 code inside the application's calls waits for nobody")
    for line in found:
        print("# " + line)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
