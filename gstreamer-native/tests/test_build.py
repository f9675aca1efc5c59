# SPDX-License-Identifier: LGPL-2.1-or-later
"""build.sh in a copy of its folder, with archives, meson and ninja made up
for the purpose: when it does what, and what it says when it cannot."""

import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

import fetch

NATIVE = pathlib.Path(__file__).resolve().parent.parent
VERSION = "1.98.0"
OPTIONS = f"target/gstreamer-native-{VERSION}"

MESON = """#!/bin/sh
case $1 in
  --version) echo ${MESON_VERSION:-1.0.1}; exit ;;
esac
echo "meson $*" >>"$CALLS"
[ -z "${MESON_FAILS-}" ] || { echo "ERROR: no such luck"; exit 1; }
mkdir -p "$2/subprojects/gstreamer-1.98.0/gst" "$3/subprojects/unpacked"
echo '#define GST_VERSION_MINOR (98)' \
  >"$2/subprojects/gstreamer-1.98.0/gst/gstversion.h"
"""
NINJA = """#!/bin/sh
echo "ninja $*" >>"$CALLS"
[ -z "${NINJA_FAILS-}" ] || { echo "FAILED: gstpad.c.o"; exit 1; }
i=0; while [ $i -lt 120 ]; do i=$((i + 1)); echo "[$i/120] step"; done
"""


class Copy:
    """The folder, copied, with everything that build.sh would fetch."""

    def __init__(self, root, needs_meson="0.62"):
        self.root = root
        self.tree = root / OPTIONS
        self.calls = root / "calls"
        shutil.copytree(NATIVE, root / "gstreamer-native",
                        ignore=shutil.ignore_patterns("tests", "__pycache__"))
        subprojects = self.tree / "source/subprojects"
        (subprojects / "packagecache").mkdir(parents=True)
        for module, template in fetch.templates().items():
            archive = (subprojects / "packagecache"
                       / f"{module}-{VERSION}.tar.xz")
            text = (f"project('{module}', 'c',\n"
                    f"  version : '{VERSION}',\n"
                    f"  meson_version : '>= {needs_meson}',\n").encode()
            with tarfile.open(archive, "w:xz") as tar:
                info = tarfile.TarInfo(f"{module}-{VERSION}/meson.build")
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text))
            # The sum that an earlier run has recorded.
            fetch.write_wrap(template, VERSION, hashlib.sha256(
                archive.read_bytes()).hexdigest(),
                subprojects / f"{module}.wrap")
        for name, text in ("meson", MESON), ("ninja", NINJA):
            (root / name).write_text(text)
            (root / name).chmod(0o755)

    def build(self, **environment):
        self.calls.write_text("")
        done = subprocess.run(
            [self.root / "gstreamer-native/build.sh", f"version={VERSION}"],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, timeout=60,
            env={**os.environ, "CALLS": str(self.calls),
                 "MESON": str(self.root / "meson"),
                 "NINJA": str(self.root / "ninja"), **environment})
        called = [s.split()[0] for s in self.calls.read_text().splitlines()]
        return done.returncode, done.stdout, called


needs_tools = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("flex", "bison", "xz")),
    reason="flex, bison or xz is not installed")


@pytest.fixture(name="copy")
def fixture_copy(tmp_path):
    return Copy(tmp_path)


@needs_tools
def test_the_first_run_configures_and_compiles_and_says_how_to_enter(copy):
    status, text, called = copy.build()
    assert (status, called) == (0, ["meson", "ninja"]), text
    assert f"gst-env.py --builddir {OPTIONS}/build" in text


@needs_tools
def test_a_second_run_configures_nothing(copy):
    copy.build()
    assert copy.build()[2] == ["ninja"]


@needs_tools
def test_progress_is_shown_and_stays_readable_in_a_log(copy):
    text = copy.build()[1]
    steps = [s for s in text.splitlines() if s.startswith("[")]
    assert steps == ["[50/120] step", "[100/120] step", "[120/120] step"]


@needs_tools
@pytest.mark.parametrize("file", ["native.flags.ini", "meson.build"])
def test_other_flags_or_another_plugin_list_configure_again(copy, file):
    copy.build()
    with open(copy.root / "gstreamer-native" / file, "a",
              encoding="utf-8") as f:
        f.write("# changed\n")
    assert copy.build()[2] == ["meson", "ninja"]


@needs_tools
def test_a_checkout_that_was_moved_configures_again(copy, tmp_path):
    copy.build()
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in "gstreamer-native", "target", "meson", "ninja":
        (copy.root / name).rename(moved / name)
    copy.root, copy.calls = moved, moved / "calls"
    assert copy.build()[2] == ["meson", "ninja"]


@needs_tools
def test_half_an_archive_unpacked_by_an_interrupted_run_goes(copy):
    half = copy.tree / f"source/subprojects/gstreamer-{VERSION}/half"
    half.mkdir(parents=True)
    assert copy.build()[0] == 0
    assert not half.exists()


@needs_tools
def test_a_failed_configuration_shows_its_end_and_is_tried_again(copy):
    status, text, called = copy.build(MESON_FAILS="1")
    assert (status, called) == (1, ["meson"])
    assert "ERROR: no such luck" in text and "configure.log" in text
    assert copy.build()[2] == ["meson", "ninja"]


@needs_tools
def test_a_failed_compilation_shows_why(copy):
    status, text, _ = copy.build(NINJA_FAILS="1")
    assert status == 1
    assert "FAILED: gstpad.c.o" in text and "did not compile" in text


@needs_tools
def test_a_meson_that_is_too_old_is_said_with_both_versions(tmp_path):
    copy = Copy(tmp_path, needs_meson="1.4")
    status, text, called = copy.build(MESON_VERSION="1.0.1")
    assert (status, called) == (1, [])
    assert f"GStreamer {VERSION} needs meson >= 1.4" in text
    assert "is 1.0.1" in text and "MESON=" in text
    assert copy.build(MESON_VERSION="1.10.0")[0] == 0, "newer than 1.4"


def test_tools_that_are_missing_are_named(copy):
    status, text, _ = copy.build(NINJA="no-such-ninja")
    assert status == 1 and "not installed: no-such-ninja" in text


@pytest.mark.parametrize("version, why", [
    ("version=1.20.7", "too old for the plugin list"),
    ("version=1.26.x", "is not a release of GStreamer"),
    ("version=1.26", "is not a release of GStreamer"),
])
def test_a_version_that_cannot_be_built_is_refused_at_once(version, why):
    done = subprocess.run([NATIVE / "build.sh", version], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, timeout=60)
    assert done.returncode == 1 and why in done.stdout
