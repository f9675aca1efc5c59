#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the report's page one file, as C source.

Usage: bundle.py FOLDER OUTPUT PAGE STYLE SCRIPT...
FOLDER has node_modules (see fetch.py). The page comes in two strings, before and
after the data.
"""
import pathlib
import sys

# In the order in which they need each other.
LIBRARIES = ["d3-array", "d3-color", "d3-dispatch", "d3-ease", "d3-format",
             "d3-hierarchy", "d3-interpolate", "d3-selection", "d3-time",
             "d3-time-format", "d3-timer", "d3-scale", "d3-transition"]
# They have others in their files.
LICENSED = [*LIBRARIES, "d3-flame-graph", "internmap"]
FLAME_GRAPH = "d3-flame-graph/dist/d3-flamegraph.umd.min.js"
MAX_SIZE = 1_500_000


def script(text, name):
    """TEXT, which must not end the element that it is in."""
    if "</script" in text.lower() or "<!--" in text:
        sys.exit(f"bundle.py: {name} cannot be in an HTML page")
    return text + "\n"


def libraries(modules):
    files = [modules / name / "dist" / f"{name}.min.js" for name in LIBRARIES]
    return "".join(script(path.read_text(), path)
                   for path in [*files, modules / FLAME_GRAPH])


def licenses(modules):
    texts = {}
    for name in LICENSED:
        text = (modules / name / "LICENSE").read_text().strip()
        texts.setdefault(text, []).append(name)
    return "".join(script("\n".join([", ".join(names) + ":", text]), names)
                   for text, names in texts.items())


def to_c(name, text):
    """Pieces, since compilers take long strings badly."""
    data = text.encode()
    lines = [f"static const unsigned char {name}_bytes[] = {{"]
    for i in range(0, len(data), 32):
        lines.append("".join(f"{byte}," for byte in data[i:i + 32]))
    lines += ["0};", f"const char *const pyro_report_page_{name} = "
              f"(const char *){name}_bytes;"]
    return "\n".join(lines) + "\n"


def main():
    folder, output, page, style, *scripts = map(pathlib.Path, sys.argv[1:])
    modules = folder / "node_modules"
    text = page.read_text()
    for mark, content in [
            ("@STYLE@", style.read_text()),
            ("@LICENSES@", licenses(modules)),
            ("@LIBRARIES@", libraries(modules)),
            ("@PROGRAM@", "".join(script(path.read_text(), path)
                                  for path in scripts))]:
        text = text.replace(mark, content, 1)
    if len(text) > MAX_SIZE:
        sys.exit(f"bundle.py: the page has {len(text)} bytes, more than "
                 f"{MAX_SIZE}")
    head, tail = text.split("@DATA@")
    output.write_text('#include "report/report-page.h"\n'
                      + to_c("head", head) + to_c("tail", tail))


if __name__ == "__main__":
    main()
