#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run a command, or a shell, inside an uninstalled GStreamer tree.

    gst-env.py [--builddir DIR] [--gstreamer-src DIR] [--only-environment]
               [COMMAND ...]

The tree is the one that `just gstreamer-native` builds, another build folder
of its super-project, or a checkout of GStreamer's monorepo. Everything that
has to be known of it is in the meson-info folder of its build. Our plugin and
gst-pyroscope-inspect are found there too, if they have been built. The exit
status is the command's.
"""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
DEFAULT_TREE = ROOT / "target" / "gstreamer-native"
PLUGIN = "libgstpyroscopetracer.so"
INSPECT = "gst-pyroscope-inspect"
# Build folders that developers give a monorepo checkout: the older README's,
# upstream's own gst-env.py's default, and meson's custom.
CHECKOUT_BUILDS = ("builddir", "build", "_build")
VERSIONED = tuple(f"GST_{name}_1_0" for name in (
    "PLUGIN_PATH", "PLUGIN_SYSTEM_PATH", "PLUGIN_SCANNER", "REGISTRY",
    "PTP_HELPER"))


class NotBuilt(Exception):
    """The tree cannot be used; the text says why and what to do."""


class Tree:
    """What a meson build folder of GStreamer holds."""

    def __init__(self, build, remedy):
        self.build = build
        self.remedy = remedy
        if not build.is_dir():
            raise NotBuilt(f"{build} is not there; {remedy}")
        targets = self._introspect("intro-targets.json")
        project = self._introspect("intro-projectinfo.json")
        if targets is None or project is None:
            raise NotBuilt(f"{build} is not a configured meson build folder; "
                           f"{remedy}")
        self.version = self._core_version(project)
        self.plugins = []       # folders, in the order of the build
        self.libraries = []
        self.programs = []
        self.typelibs = []      # a developer's checkout may have some
        self.scanner = None
        self.ptp_helper = None
        self._sort(targets)

    def _introspect(self, name):
        """One of meson's introspection files, or None."""
        try:
            with open(self.build / "meson-info" / name, encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return None

    def _core_version(self, project):
        """The version of the subproject gstreamer."""
        for sub in project.get("subprojects", []):
            if sub.get("name") == "gstreamer":
                return sub.get("version", "unknown")
        raise NotBuilt(f"{self.build} builds {project.get('descriptive_name')}"
                       f", not GStreamer; {self.remedy}")

    def _sort(self, targets):
        missing = []
        for target in targets:
            if not (target.get("installed")
                    and target.get("build_by_default", True)):
                continue
            if target["filename"][0].endswith(".typelib"):
                add(self.typelibs, pathlib.Path(target["filename"][0]).parent)
            if target["type"] not in ("shared library", "shared module",
                                      "executable"):
                continue
            made = pathlib.Path(target["filename"][0])
            goes_to = pathlib.Path(target["install_filename"][0])
            if not made.exists():
                missing.append(made.name)
                continue
            if target["type"] == "executable":
                if made.name == "gst-plugin-scanner":
                    self.scanner = made
                elif made.name == "gst-ptp-helper":
                    self.ptp_helper = made
                elif goes_to.parent.name == "bin":
                    add(self.programs, made.parent)
            elif goes_to.parent.name == "gstreamer-1.0":
                add(self.plugins, made.parent)
            else:
                add(self.libraries, made.parent)
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise NotBuilt(f"{self.build} is not built: {missing[0]}{more} "
                           f"missing; {self.remedy}")
        if self.scanner is None:
            raise NotBuilt(f"{self.build} has no gst-plugin-scanner; "
                           f"{self.remedy}")


def add(folders, folder):
    if folder not in folders:
        folders.append(folder)


def choose_build(options):
    """(the build folder, what to do if it is of no use)"""
    if options.gstreamer_src:
        source = options.gstreamer_src.resolve()
        folders = ([options.builddir.resolve()] if options.builddir
                   else [source / name for name in CHECKOUT_BUILDS])
        build = next((b for b in folders if (b / "meson-info").is_dir()),
                     folders[0])
        remedy = ("build it with\n"
                  f"  meson setup {shlex.quote(str(build))} "
                  f"{shlex.quote(str(source))} --buildtype=debugoptimized "
                  f"--native-file {shlex.quote(str(HERE))}/native.flags.ini "
                  "-Dgpl=enabled -Dtests=disabled -Dexamples=disabled\n"
                  f"  meson compile -C {shlex.quote(str(build))}")
        if not (source / "meson.build").is_file():
            raise NotBuilt(f"--gstreamer-src {source} is not a checkout of "
                           "GStreamer: it has no meson.build")
        return build, remedy
    build = (options.builddir or DEFAULT_TREE / "build").resolve()
    if build.parent.parent == DEFAULT_TREE.parent:
        version = build.parent.name[len(DEFAULT_TREE.name) + 1:]
        remedy = ("build it with `just gstreamer-native"
                  + (f" version={version}`" if version else "`"))
    else:
        remedy = f"build it with `meson compile -C {shlex.quote(str(build))}`"
    return build, remedy


def profile_folders(build):
    """Folders below target/ that may hold our build, the best first.

    target/native is built against the pinned tree, target/native-VERSION
    against the tree of another version; the others are built against the
    system's GStreamer and load into a newer one as well."""
    names = ["native", "release", "debug"]
    if build.parent.name.startswith(DEFAULT_TREE.name + "-"):
        names[0] += build.parent.name[len(DEFAULT_TREE.name):]
    return [ROOT / "target" / name for name in names]


def find_ours(name, folders):
    return next((f for f in folders if (f / name).exists()), None)


def set_environment(tree, env):
    """Change the environment env for the tree."""

    def prepend(name, folders):
        first = [str(folder) for folder in folders]
        rest = [p for p in env.get(name, "").split(os.pathsep)
                if p and p not in first]
        value = os.pathsep.join(first + rest)
        if value:
            env[name] = value

    ours = profile_folders(tree.build)
    plugin = find_ours(PLUGIN, ours)
    inspect = find_ours(INSPECT, ours)
    distribution = tree.build.parent / "distribution-plugins"

    env["GST_ENV"] = f"gst-{tree.version}"
    # The names without "_1_0", as in upstream's own script: so that a path
    # appended to GST_PLUGIN_PATH inside the shell counts. Those with it win
    # over them in GStreamer, so they go, and what the caller had in one stays.
    user = env.get("GST_PLUGIN_PATH_1_0")
    if user is not None:
        env["GST_PLUGIN_PATH"] = user
    for name in VERSIONED:
        env.pop(name, None)
    env["GST_PLUGIN_SYSTEM_PATH"] = ""  # the system's plugins stay outside
    env["GST_PLUGIN_SCANNER"] = str(tree.scanner)
    env["GST_REGISTRY"] = str(tree.build / "registry.bin")
    if tree.ptp_helper:
        env["GST_PTP_HELPER"] = str(tree.ptp_helper)
    prepend("GST_PLUGIN_PATH", ([plugin] if plugin else []) + tree.plugins
            + ([distribution] if distribution.is_dir() else []))
    prepend("LD_LIBRARY_PATH", tree.libraries)
    prepend("GI_TYPELIB_PATH", tree.typelibs)
    prepend("PATH", ([inspect] if inspect else []) + tree.programs)
    prepend("PKG_CONFIG_PATH", [tree.build / "meson-uninstalled"])
    return plugin


def shell_command(env, name, scratch):
    """The user's shell, with a prompt that says where it is."""
    shell = env.get("SHELL") or "/bin/sh"
    mark = f"[{name}] "
    kind = os.path.basename(shell)
    home = pathlib.Path(env.get("HOME", "/"))
    if kind == "bash":
        rc = scratch / "bashrc"
        rc.write_text(f'[ -r "$HOME/.bashrc" ] && . "$HOME/.bashrc"\n'
                      f"PS1={shlex.quote(mark)}\"$PS1\"\n", encoding="utf-8")
        return [shell, "--rcfile", str(rc), "-i"]
    if kind == "zsh":
        dots = env.get("ZDOTDIR") or str(home)
        (scratch / ".zshrc").write_text(
            f"ZDOTDIR={shlex.quote(dots)}\n"
            '[ -r "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"\n'
            f"PROMPT={shlex.quote(mark)}\"$PROMPT\"\n", encoding="utf-8")
        env["ZDOTDIR"] = str(scratch)
        return [shell, "-i"]
    if kind == "fish":
        return [shell, "-C",
                "functions -c fish_prompt gst_env_prompt; function fish_prompt;"
                f" echo -n {shlex.quote(mark)}; gst_env_prompt; end"]
    env["PS1"] = mark + "$ "
    return [shell, "-i"]


def run(command, env):
    """Run the command; return its exit status as a shell would give it."""
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        print(f"gst-env: {command[0]}: not found on PATH", file=sys.stderr)
        return 127
    # Ctrl-C goes to the whole foreground group: it is the command's to act
    # on, and ours to outlive. A termination is handed on; held back until
    # there is somebody to hand it to.
    keep = {s: signal.signal(s, signal.SIG_IGN)
            for s in (signal.SIGINT, signal.SIGQUIT)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def restore():
        for number, action in keep.items():
            signal.signal(number, action)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    try:
        child = subprocess.Popen([program, *command[1:]], env=env,
                                 preexec_fn=restore)
    except OSError as e:
        print(f"gst-env: {program}: {e.strerror}", file=sys.stderr)
        return 126
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    status = child.wait()
    return status if status >= 0 else 128 - status


def main():
    parser = argparse.ArgumentParser(
        prog="gst-env.py", formatter_class=argparse.RawTextHelpFormatter,
        description="Run a command, or a shell, inside an uninstalled "
                    "GStreamer tree.",
        epilog="Without a COMMAND it starts your shell ($SHELL) with a marked "
               "prompt.")
    parser.add_argument("--builddir", type=pathlib.Path, metavar="DIR",
                        help="the tree's build folder (default: "
                        "target/gstreamer-native/build)")
    parser.add_argument("--gstreamer-src", type=pathlib.Path, metavar="DIR",
                        help="your own checkout of GStreamer's monorepo, built"
                        "\nwith native.flags.ini; its build folder is "
                        "--builddir,\nor the first of "
                        + ", ".join(CHECKOUT_BUILDS) + " in it")
    parser.add_argument("--only-environment", action="store_true",
                        help="print the environment for a POSIX shell's eval")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args()
    command = options.command
    if command[:1] == ["--"]:
        command = command[1:]

    env = dict(os.environ)
    try:
        tree = Tree(*choose_build(options))
    except NotBuilt as e:
        print(f"gst-env: {e}", file=sys.stderr)
        return 1
    plugin = set_environment(tree, env)

    if options.only_environment:
        for name in sorted(os.environ.keys() - env.keys()):
            print(f"unset {name}")
        for name in sorted(env):
            if env[name] != os.environ.get(name):
                print(f"export {name}={shlex.quote(env[name])}")
        return 0
    if plugin is None and not command:
        print("gst-env: our plugin is not built; for the element's profile "
              "run `just build-package gst-pyroscope-tracer native`",
              file=sys.stderr)
    if command:
        return run(command, env)
    with tempfile.TemporaryDirectory(prefix="gst-env-") as scratch:
        return run(shell_command(env, env["GST_ENV"], pathlib.Path(scratch)),
                   env)


if __name__ == "__main__":
    sys.exit(main())
