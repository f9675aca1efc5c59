#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Renews the README's table of dependencies from ci/packages.txt.

With --check it changes nothing and exits with 1 if the table is another.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN = "<!-- dependencies: from ci/packages.txt, by `just format` -->\n"
END = "<!-- end of dependencies -->"
FOR = {"any": "running recipes", "build": "building", "demo": "the demo",
       "native": "GStreamer from source",
       "test": "the tests", "slow": "stress", "fuzz": "fuzz",
       "bench": "bench-unwind", "aarch64": "test-aarch64",
       "upstream": "test-upstream", "lint": "lint and format"}


def rows():
    for line in (ROOT / "ci/packages.txt").read_text().splitlines():
        if not line or line.startswith(("#", "need ")):
            continue
        group, package, check, reason = line.split(None, 3)
        kind, _, what = check.partition(":")
        elsewhere = {"cmd": f"`{what}`", "pc": f"`{what}` (pkg-config)",
                     "header": f"header `{what}`", "py": f"Python module `{what}`",
                     "element": f"element `{what}`", "-": ""}[kind]
        if package.startswith("pypi:"):
            name = package.removeprefix("pypi:")
            pins = (ROOT / f"ci/python/{name}.txt").read_text()
            version = re.search(rf"^{name}==(\S+)", pins, re.MULTILINE)[1]
            debian = f"`{name}` {version} from PyPI, in `.tools/`"
        else:
            debian = " or ".join(f"`{name}`" for name in package.split("|"))
        yield FOR[group], debian, elsewhere.replace(">=", "` ≥ `"), reason


def main():
    table = "| for | Debian 12 | elsewhere | why |\n|---|---|---|---|\n"
    table += "".join(f"| {' | '.join(row)} |\n" for row in rows())
    old = README.read_text()
    begin = old.index(BEGIN) + len(BEGIN)
    new = old[:begin] + table + old[old.index(END):]
    if "--check" in sys.argv:
        return int(new != old)
    if new != old:
        README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
