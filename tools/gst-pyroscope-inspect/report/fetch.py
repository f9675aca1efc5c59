#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gets the report's libraries, as package-lock.json has their hashes.

Usage: fetch.py NPM FOLDER LOCK PACKAGE
LOCK is package-lock.json and PACKAGE package.json.
They are in FOLDER/node_modules then. What is there for the same lock is kept,
and node_modules beside this file is used instead where somebody has put it there
(npm ci), so that a build without a network has the report, too.
"""
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def main():
    npm, *paths = sys.argv[1:]
    folder, *inputs = map(pathlib.Path, paths)
    stamp = folder / "fetched-for.json"
    lock = inputs[0].read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    if stamp.exists() and stamp.read_bytes() == lock:
        return 0
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    if (HERE / "node_modules").is_dir():
        shutil.copytree(HERE / "node_modules", folder / "node_modules")
    else:
        for path in inputs:
            shutil.copy(path, folder / path.name)
        try:
            subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit",
                            "--no-fund", "--loglevel=error", "--fetch-retries=1",
                            "--fetch-timeout=20000"], cwd=folder, check=True,
                           timeout=120, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"npm ci: {error}", file=sys.stderr)
            return 1
    stamp.write_bytes(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
