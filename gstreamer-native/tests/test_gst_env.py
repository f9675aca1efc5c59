# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-env.py: made-up trees for what it refuses and sets, the real one for
what works in it."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

NATIVE = pathlib.Path(__file__).resolve().parent.parent
ROOT = NATIVE.parent
GST_ENV = NATIVE / "gst-env.py"
REAL = ROOT / "target/gstreamer-native/build"

real_tree = pytest.mark.skipif(
    not (REAL / "registry.bin").exists()
    and not (REAL / "meson-info/intro-targets.json").exists(),
    reason="target/gstreamer-native is not built: just gstreamer-native")


def gst_env(*arguments, **options):
    options.setdefault("env", {"PATH": "/usr/bin:/bin", "HOME": "/",
                               "LC_ALL": "C.UTF-8"})
    return subprocess.run([GST_ENV, *map(str, arguments)], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=60,
                          **options)


def target(build, name, kind, folder, file):
    return {"name": name, "type": kind, "installed": True,
            "filename": [str(build / file)],
            "install_filename": [f"/usr/local/{folder}/"
                                 + pathlib.Path(file).name]}


def make_tree(build, compiled=True):
    """A build folder as meson leaves it, with empty files for binaries."""
    info = build / "meson-info"
    info.mkdir(parents=True)
    project = {"descriptive_name": "gstreamer-native", "version": "undefined",
               "subprojects": [{"name": "gstreamer", "version": "1.22.7"}]}
    targets = [
        target(build, "gstreamer-1.0", "shared library", "lib",
               "core/libgstreamer-1.0.so.0"),
        target(build, "gstcoreelements", "shared library",
               "lib/gstreamer-1.0", "plugins/libgstcoreelements.so"),
        target(build, "gst-launch-1.0", "executable", "bin",
               "tools/gst-launch-1.0"),
        target(build, "gst-plugin-scanner", "executable",
               "libexec/gstreamer-1.0", "helpers/gst-plugin-scanner"),
        target(build, "gst-ptp-helper", "executable",
               "libexec/gstreamer-1.0", "helpers/gst-ptp-helper"),
        {"name": "a-test", "type": "executable", "installed": False,
         "filename": [str(build / "never-built")]},
    ]
    (info / "intro-projectinfo.json").write_text(json.dumps(project))
    (info / "intro-targets.json").write_text(json.dumps(targets))
    if compiled:
        for entry in targets[:5]:
            file = pathlib.Path(entry["filename"][0])
            file.parent.mkdir(exist_ok=True)
            file.write_text("#!/bin/sh\necho made-up $0\n")
            file.chmod(0o755)
    return build


@pytest.fixture(name="tree")
def fixture_tree(tmp_path):
    return make_tree(tmp_path / "build")


def environment(*arguments, env=None):
    """What --only-environment prints, as a shell would take it."""
    done = gst_env(*arguments, "--only-environment",
                   **({"env": env} if env else {}))
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        ["sh", "-c", 'eval "$1"; env -0', "sh", done.stdout], text=True,
        env={}, stdout=subprocess.PIPE, check=True)
    return dict(line.split("=", 1) for line in shown.stdout.split("\0")
                if line)


def test_a_folder_that_is_not_there_is_refused_with_the_remedy(tmp_path):
    done = gst_env("--builddir", tmp_path / "none", "true")
    assert done.returncode == 1
    assert f"{tmp_path}/none is not there" in done.stderr
    assert f"meson compile -C {tmp_path}/none" in done.stderr


def test_a_version_that_is_not_built_is_refused_with_its_recipe():
    build = ROOT / "target/gstreamer-native-1.99.0/build"
    done = gst_env("--builddir", build, "true")
    assert done.returncode == 1
    assert "`just gstreamer-native version=1.99.0`" in done.stderr


def test_a_folder_that_meson_did_not_make_is_refused(tmp_path):
    done = gst_env("--builddir", tmp_path, "true")
    assert done.returncode == 1
    assert "not a configured meson build folder" in done.stderr


def test_broken_meson_information_is_refused_without_a_traceback(tree):
    (tree / "meson-info/intro-targets.json").write_text("[{")
    done = gst_env("--builddir", tree, "true")
    assert done.returncode == 1
    assert "not a configured meson build folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_projects_build_folder_is_refused_by_its_name(tree):
    (tree / "meson-info/intro-projectinfo.json").write_text(json.dumps(
        {"descriptive_name": "zlib", "subprojects": []}))
    done = gst_env("--builddir", tree, "true")
    assert done.returncode == 1
    assert "builds zlib, not GStreamer" in done.stderr


def test_a_configured_tree_that_is_not_compiled_is_refused(tmp_path):
    build = make_tree(tmp_path / "build", compiled=False)
    done = gst_env("--builddir", build, "true")
    assert done.returncode == 1
    assert "not built: libgstreamer-1.0.so.0 and 4 more missing" in done.stderr
    assert f"meson compile -C {build}" in done.stderr


def test_one_missing_binary_is_enough_to_refuse(tree):
    (tree / "plugins/libgstcoreelements.so").unlink()
    done = gst_env("--builddir", tree, "true")
    assert done.returncode == 1
    assert "not built: libgstcoreelements.so missing" in done.stderr


def test_a_checkout_without_meson_build_is_refused(tmp_path):
    done = gst_env("--gstreamer-src", tmp_path, "true")
    assert done.returncode == 1
    assert "is not a checkout of GStreamer" in done.stderr


def test_an_unbuilt_checkout_is_refused_with_the_commands_that_build_it(
        tmp_path):
    (tmp_path / "meson.build").touch()
    done = gst_env("--gstreamer-src", tmp_path, "true")
    assert done.returncode == 1
    assert f"--native-file {NATIVE}/native.flags.ini" in done.stderr
    assert f"meson setup {tmp_path}/builddir {tmp_path}" in done.stderr


@pytest.mark.parametrize("name", ["builddir", "build", "_build"])
def test_a_checkouts_build_folder_is_found_under_its_usual_names(
        tmp_path, name):
    (tmp_path / "meson.build").touch()
    build = make_tree(tmp_path / name)
    found = environment("--gstreamer-src", tmp_path)
    assert found["GST_REGISTRY"] == f"{build}/registry.bin"


def test_a_checkouts_build_folder_may_be_named(tmp_path):
    (tmp_path / "meson.build").touch()
    build = make_tree(tmp_path / "elsewhere")
    found = environment("--gstreamer-src", tmp_path, "--builddir", build)
    assert found["GST_REGISTRY"] == f"{build}/registry.bin"


def test_everything_that_an_uninstalled_tree_needs_is_set(tree):
    found = environment("--builddir", tree)
    assert found["GST_ENV"] == "gst-1.22.7"
    assert found["GST_PLUGIN_SYSTEM_PATH"] == ""
    assert found["GST_REGISTRY"] == f"{tree}/registry.bin"
    assert found["GST_PLUGIN_SCANNER"] == (
        f"{tree}/helpers/gst-plugin-scanner")
    assert found["GST_PTP_HELPER"] == f"{tree}/helpers/gst-ptp-helper"
    assert f"{tree}/plugins" in found["GST_PLUGIN_PATH"].split(":")
    assert found["LD_LIBRARY_PATH"] == f"{tree}/core"
    assert found["PATH"].split(":")[-3:] == [
        f"{tree}/tools", "/usr/bin", "/bin"]
    assert found["PKG_CONFIG_PATH"] == f"{tree}/meson-uninstalled"


def test_what_the_caller_has_set_stays_behind_the_trees_own(tree):
    found = environment("--builddir", tree, env={
        "PATH": "/usr/bin:/bin", "GST_PLUGIN_PATH": "/mine",
        "LD_LIBRARY_PATH": "/lib/mine", "PKG_CONFIG_PATH": "/pc/mine"})
    plugins = found["GST_PLUGIN_PATH"].split(":")
    assert plugins.index(f"{tree}/plugins") < plugins.index("/mine")
    assert found["LD_LIBRARY_PATH"] == f"{tree}/core:/lib/mine"
    assert found["PKG_CONFIG_PATH"] == f"{tree}/meson-uninstalled:/pc/mine"


def test_the_callers_versioned_names_do_not_hide_the_trees(tree):
    caller = {"PATH": "/usr/bin:/bin", "GST_PLUGIN_PATH": "/old",
              "GST_PLUGIN_PATH_1_0": "/new", "GST_REGISTRY_1_0": "/r",
              "GST_PLUGIN_SYSTEM_PATH_1_0": "/s"}
    done = gst_env("--builddir", tree, "env", env=caller)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert not [name for name in found if name.endswith("_1_0")]
    # GStreamer itself would have looked at the versioned one alone.
    plugins = found["GST_PLUGIN_PATH"].split(":")
    assert "/new" in plugins and "/old" not in plugins
    done = gst_env("--builddir", tree, "--only-environment", env=caller)
    assert "unset GST_REGISTRY_1_0\n" in done.stdout


def test_inside_itself_it_changes_nothing(tree):
    once = environment("--builddir", tree)
    twice = environment("--builddir", tree, env=dict(once))
    # What is as it was is not printed.
    assert {"GST_PLUGIN_PATH", "LD_LIBRARY_PATH"} <= set(once)
    assert not [name for name in twice if name in once and name != "PWD"]


def test_names_with_spaces_and_quotes_survive_a_shells_eval(tmp_path):
    build = make_tree(tmp_path / "it's a tree; $HOME")
    assert environment("--builddir", build)["GST_REGISTRY"] == (
        f"{build}/registry.bin")


def test_the_distributions_plugins_come_last(tree):
    folder = tree.parent / "distribution-plugins"
    folder.mkdir()
    found = environment("--builddir", tree)
    assert found["GST_PLUGIN_PATH"].split(":")[-1] == str(folder)


@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)])
def test_the_exit_status_is_the_commands(tree, script, status):
    assert gst_env("--builddir", tree, "sh", "-c",
                   script).returncode == status


def test_a_command_that_does_not_exist_ends_with_127_and_its_name(tree):
    done = gst_env("--builddir", tree, "no-such-command")
    assert done.returncode == 127
    assert "no-such-command: not found" in done.stderr


def test_options_after_the_command_are_the_commands(tree):
    done = gst_env("--builddir", tree, "echo", "--builddir", "x", "--help")
    assert done.stdout == "--builddir x --help\n"


def test_programs_of_the_tree_are_found_before_the_systems(tree):
    done = gst_env("--builddir", tree, "gst-launch-1.0")
    assert done.stdout == f"made-up {tree}/tools/gst-launch-1.0\n"


def test_an_interrupt_is_the_commands_to_act_on(tree):
    script = "trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
            [GST_ENV, "--builddir", tree, "sh", "-c", script], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True) as process:
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 5


def test_a_termination_reaches_the_command(tree):
    script = "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
            [GST_ENV, "--builddir", tree, "sh", "-c", script], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(timeout=30) == 6


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_without_a_command_a_shell_starts_with_a_marked_prompt(
        tree, tmp_path, shell):
    (tmp_path / ".bashrc").write_text("PS1='mine> '\n")
    done = subprocess.run(
        [GST_ENV, "--builddir", tree], input="exit 9\n", text=True,
        env={"PATH": "/usr/bin:/bin", "SHELL": shell,
             "HOME": str(tmp_path), "TERM": "dumb"}, check=False, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 9
    assert "[gst-1.22.7] " in done.stdout + done.stderr
    if shell == "/bin/bash":
        assert "[gst-1.22.7] mine> " in done.stdout + done.stderr


@real_tree
def test_the_real_tree_runs_its_own_gstreamer():
    done = gst_env("gst-inspect-1.0", "coreelements")
    assert done.returncode == 0, done.stderr
    assert str(REAL) in done.stdout


@real_tree
def test_the_real_tree_has_the_plugins_that_its_list_promises():
    elements = ("fakesink appsink audiotestsrc videotestsrc videoconvert "
                "videoscale audioconvert audioresample compositor audiomixer "
                "decodebin playbin typefind opusenc vorbisdec qtdemux mp4mux "
                "matroskamux rtpbin rtpvp8pay udpsrc wavparse vp8enc "
                "autovideosink").split()
    script = ("for e in " + " ".join(elements)
              + "; do gst-inspect-1.0 --exists $e || echo $e; done")
    done = gst_env("sh", "-c", script)
    assert done.stdout == ""


@real_tree
def test_the_real_tree_compiles_against_itself():
    done = gst_env("pkg-config", "--libs", "gstreamer-1.0",
                   "gstreamer-check-1.0", "gstreamer-app-1.0")
    assert done.returncode == 0, done.stderr
    folders = {word[2:] for word in done.stdout.split()
               if word.startswith("-L")}
    assert folders and all(f.startswith(str(REAL)) for f in folders)


@real_tree
def test_the_real_tree_maps_nothing_of_the_systems_gstreamer():
    done = gst_env(
        "sh", "-c", "LD_TRACE_LOADED_OBJECTS=1 gst-launch-1.0 2>&1")
    used = [line.split()[2] for line in done.stdout.splitlines()
            if "libgst" in line and "=>" in line]
    assert used and all(path.startswith(str(REAL)) for path in used)
