#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-pyroscope-inspect symbols and symbolize, with a library and its debug
file in folders of the test's.

Usage: test_symbols.py TOOL LIBRARY [unittest arguments]
"""
import contextlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

sys.dont_write_bytecode = True
from pprof_file import Profile

TOOL = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
LIBRARY = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
# Where the library was on the machine that was profiled.
PATH = "/opt/profiled/lib/libdemo.so.1"


def read_library(*command):
    return subprocess.run([*command, LIBRARY], check=True, text=True,
                          capture_output=True).stdout


def address_of(symbol):
    return int(re.search(rf"(\w+) \w {symbol}\n", read_library("nm"))[1], 16)


def build_id():
    return re.search(r"Build ID: (\w+)", read_library("readelf", "-n"))[1]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.address = address_of("sample_local_point")
        self.build_id = build_id()
        self.place = f"libdemo.so.1!0x{self.address:x}"

    def run_tool(self, *args, status=0, path=None, server=None):
        env = {**os.environ, "TZ": "UTC", "DEBUGINFOD_TIMEOUT": "1",
               "DEBUGINFOD_CACHE_PATH": str(self.folder / "cache"),
               "DEBUGINFOD_URLS": server or ""}
        if path is not None:
            env["PATH"] = f"{path}:{env['PATH']}"
        result = subprocess.run([TOOL, *map(str, args)], capture_output=True,
                                text=True, timeout=120, env=env)
        self.err = result.stderr
        self.assertEqual(result.returncode, status, result.stdout + self.err)
        self.assertNotRegex(self.err, "(?i)sanitizer|critical|warning")
        return result.stdout

    def refused(self, *args, message):
        self.assertEqual(self.run_tool(*args, status=1), "")
        self.assertRegex(self.err, message)

    def capture(self, name="a.pb.gz", **how):
        """Three samples: with the function's address alone, with its place as
        its name, and with another one that is known."""
        profile = Profile(file=PATH, comments=["stats.samples=6"],
                          **{"build_id": self.build_id, **how})
        profile.add([self.address, "main"], [1, 10], element="a")
        profile.add([(self.place, "", self.address), "main"], [2, 20],
                    element="b")
        profile.add([("known", "known", self.address)], [3, 30], element="c")
        return profile.write(self.folder / name)

    def debug_folder(self):
        """The library's debug file, by its build id."""
        folder = self.folder / "debug"
        file = (folder / ".build-id" / self.build_id[:2]
                / f"{self.build_id[2:]}.debug")
        file.parent.mkdir(parents=True)
        subprocess.run(["objcopy", "--only-keep-debug", LIBRARY, file],
                       check=True)
        return folder

    def system_root(self):
        """A root folder with the library, symbols and all."""
        file = self.folder / "root" / PATH[1:]
        file.parent.mkdir(parents=True)
        file.write_bytes(pathlib.Path(LIBRARY).read_bytes())
        return self.folder / "root"

    def dump(self, path):
        return json.loads(self.run_tool("dump", "--format=json", path))

    def names(self, path):
        """element → leaf's name and line"""
        dump = self.dump(path)
        lines = {location["id"]: location["lines"]
                 for location in dump["locations"]}
        return {sample["labels"][0]["value"]:
                [(line["name"], line["line"])
                 for line in lines[sample["location_ids"][0]]]
                for sample in dump["samples"]}


class Symbolize(Case):
    def assert_named(self, path):
        names = self.names(path)
        (name, line), = names["a"]
        self.assertEqual(name, "sample_local")
        self.assertGreater(line, 0)
        self.assertEqual(names["b"], names["a"])
        self.assertEqual(names["c"], [("known", 42)])

    def test_a_debug_file_names_what_had_an_address(self):
        out = self.folder / "out.pb.gz"
        text = self.run_tool("symbolize", "--debug-path", self.debug_folder(),
                             "-o", out, self.capture())
        self.assert_named(out)
        self.assertRegex(text, r"out.pb.gz: 4 of 4 addresses have a name, "
                               r"2 before")

    def test_a_library_of_the_other_system_does(self):
        out = self.folder / "out.pb.gz"
        self.run_tool("symbolize", "--sysroot", self.system_root(), "-o", out,
                      self.capture())
        self.assert_named(out)
        mapping, = self.dump(out)["mappings"]
        self.assertTrue(mapping["has_functions"])
        self.assertTrue(mapping["has_line_numbers"])
        self.assertEqual(mapping["filename"], PATH)

    def test_another_build_names_nothing(self):
        out = self.folder / "out.pb.gz"
        capture = self.capture(build_id="00" * 20)
        self.run_tool("symbolize", "--sysroot", self.system_root(),
                      "--debug-path", self.debug_folder(), "-o", out, capture)
        self.assertEqual(self.names(out)["b"], [(self.place, 42)])

    def test_without_a_build_id_nothing_is_named(self):
        out = self.folder / "out.pb.gz"
        text = self.run_tool("symbolize", "--sysroot", self.system_root(),
                             "-o", out, self.capture(build_id=""))
        self.assertEqual(self.names(out)["b"], [(self.place, 42)])
        self.assertIn("in files without a build id", text)

    def test_all_else_stays(self):
        out = self.folder / "out.pb.gz"
        capture = self.capture()
        self.run_tool("symbolize", "--debug-path", self.debug_folder(), "-o",
                      out, capture)
        before, after = self.dump(capture), self.dump(out)
        for key in ["time_nanos", "duration_nanos", "period", "sample_types",
                    "comments"]:
            self.assertEqual(before[key], after[key], key)
        for one, other in zip(before["samples"], after["samples"]):
            self.assertEqual(one["values"], other["values"])
            self.assertEqual(one["labels"], other["labels"])

    def test_each_capture_has_a_new_one_in_the_folder(self):
        captures = self.folder / "captures"
        captures.mkdir()
        self.capture("captures/a.pb.gz")
        os.chmod(self.capture("captures/b.pb.gz"), 0o640)
        out = self.folder / "new/named"
        self.run_tool("symbolize", "--debug-path", self.debug_folder(), "-o",
                      out, captures)
        self.assertEqual(sorted(os.listdir(out)), ["a.pb.gz", "b.pb.gz"])
        self.assert_named(out / "b.pb.gz")
        self.assertEqual((out / "b.pb.gz").stat().st_mode & 0o777, 0o640)

    def test_what_cannot_be_is_said(self):
        captures = self.folder / "captures"
        captures.mkdir()
        self.capture("captures/a.pb.gz")
        one = self.capture()
        self.refused("symbolize", message="no file or folder")
        self.refused("symbolize", "-o", self.folder / "o.pb", one, captures,
                     message="o.pb is one file, and there are 2 captures")
        self.refused("symbolize", "-o", self.folder / "o", one, captures,
                     message="two captures are called a.pb.gz")
        self.refused("symbolize", "--sysroot", one, one,
                     message="--sysroot .*a.pb.gz is no folder")
        self.refused("symbolize", "--debug-path", self.folder / "no", one,
                     message="--debug-path .*/no is no folder")
        (self.folder / "a:b").mkdir()
        self.refused("symbolize", "--debug-path", self.folder / "a:b", one,
                     message="--debug-path .*/a:b: .* cannot have a ':'")
        one.write_bytes(b"rubbish")
        self.refused("symbolize", "-o", self.folder / "o", one,
                     message="a.pb.gz: .*no pprof profile")


class Symbols(Case):
    def libraries(self, *args, **how):
        result = json.loads(self.run_tool("symbols", "--format=json", *args,
                                          **how))
        return {library["filename"]: library
                for library in result["libraries"]}

    def package_manager(self, answer):
        """A dpkg-query that knows one package."""
        folder = self.folder / "bin"
        folder.mkdir()
        (folder / "dpkg-query").write_text(f"#!/bin/sh\n{answer}\n")
        (folder / "rpm").write_text("#!/bin/sh\nexit 1\n")
        for program in folder.iterdir():
            program.chmod(0o755)
        return folder

    def test_frames_are_counted_by_library(self):
        library = self.libraries(self.capture())[PATH]
        self.assertEqual(library["build_id"], self.build_id)
        self.assertEqual(library["addresses"], 4)
        self.assertEqual(library["addresses_without_name"], 2)
        self.assertEqual(library["value"], 90)
        self.assertAlmostEqual(library["none_percent"], 100 * 30 / 90, 2)

    def test_a_debug_file_that_is_here_is_named(self):
        library = self.libraries("--debug-path", self.debug_folder(),
                                 self.capture())[PATH]
        self.assertTrue(library["debug_file"].endswith(".debug"))
        self.assertRegex(library["advice"], "inspect symbolize")

    def stripped(self):
        """The library without symbols, and a capture with an address in it."""
        file = self.folder / "libstripped.so"
        subprocess.run(["strip", "-o", file, LIBRARY], check=True)
        return str(file), self.capture_of(file)

    def capture_of(self, file):
        profile = Profile(file=str(file), build_id=self.build_id)
        profile.add([self.address], [1, 10])
        return profile.write(self.folder / "a.pb.gz")

    def test_the_package_of_a_file_says_what_to_install(self):
        file, path = self.stripped()
        tools = self.package_manager("echo \"libdemo1:amd64: $2\"")
        library = self.libraries(path, path=tools)[file]
        self.assertEqual(library["command"], "apt install libdemo1-dbgsym")
        self.assertEqual(library["file_here"], "same")
        text = self.run_tool("symbols", path, path=tools)
        self.assertIn("apt install libdemo1-dbgsym, then "
                      "gst-pyroscope-inspect symbolize", text)

    def test_a_file_that_has_symbols_needs_no_package(self):
        tools = self.package_manager("echo \"libdemo1:amd64: $2\"")
        only = self.folder / "lib"
        only.mkdir()
        for option in ["--strip-debug", "--strip-unneeded",
                       "--remove-section=.debug*"]:
            file = only / "libdemo.so"
            subprocess.run(["objcopy", option, LIBRARY, file], check=True)
            path = self.capture_of(file)
            library = self.libraries(path, path=tools)[str(file)]
            has_symbols = option != "--strip-unneeded"
            with self.subTest(option):
                self.assertEqual(library["file_has_symbols"], has_symbols)
                self.assertEqual(library["command"] is None, has_symbols)
                self.assertRegex(library["advice"], "symbolize looks them up"
                                 if has_symbols else "apt install")
        out = self.folder / "out.pb.gz"
        self.run_tool("symbolize", "-o", out, path)
        self.assertIn("sample_local", self.run_tool("top", out))

    def test_a_file_of_no_package_says_so(self):
        file, path = self.stripped()
        library = self.libraries(path, path=self.package_manager("exit 1"))
        self.assertIsNone(library[file]["command"])
        self.assertRegex(library[file]["advice"], "no package has this")

    def test_an_answer_that_is_no_package_is_not_printed(self):
        file, path = self.stripped()
        tools = self.package_manager("echo '$(reboot): x'")
        self.assertIsNone(self.libraries(path, path=tools)[file]["command"])

    def test_what_was_not_looked_up_can_be_symbolized(self):
        profile = Profile(comments=["stats.samples=6",
                                    "stats.names.postponed=3"])
        path = profile.add(["f"], [1, 1]).write(self.folder / "a.pb.gz")
        self.assertRegex(self.run_tool("summary", path),
                         "3 addresses were not looked up.* symbolize ")

    def test_another_build_or_none_needs_the_other_system(self):
        library = self.libraries(self.capture())[PATH]
        self.assertEqual(library["file_here"], "missing")
        self.assertRegex(library["advice"], "--sysroot")
        profile = Profile(file=LIBRARY, build_id="00" * 20)
        path = profile.add([1], [1, 10]).write(self.folder / "b.pb.gz")
        library = self.libraries(path)[LIBRARY]
        self.assertEqual(library["file_here"], "other build")
        self.assertRegex(library["advice"], "--sysroot")

    def test_what_has_all_names_needs_nothing(self):
        profile = Profile(file=PATH, build_id=self.build_id)
        path = profile.add(["f", "g"], [1, 1]).write(self.folder / "b.pb.gz")
        self.assertIsNone(self.libraries(path)[PATH]["advice"])
        self.assertRegex(self.run_tool("symbols", path),
                         r"(?m)^100.00%  100.00%   0.00%   0.00%      0 of 2 ")


class Server(http.server.BaseHTTPRequestHandler):
    """A debuginfod whose answer to everything is the class's: bytes, None for
    404, or a number of seconds after which it still has none."""

    def do_GET(self):
        self.server.requests.append(self.path)
        if isinstance(self.server.answer, bytes):
            self.send_response(200)
            self.send_header("Content-Length", len(self.server.answer))
            self.end_headers()
            self.wfile.write(self.server.answer)
        elif self.server.answer is None:
            self.send_error(404)
        else:
            self.server.ended.wait(self.server.answer)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def server(answer):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as self:
        self.answer, self.requests = answer, []
        self.ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        thread = threading.Thread(target=self.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self.shutdown()
            thread.join()


class Debuginfod(Case):
    def symbolize(self, url, *captures):
        """The names then, and what was said."""
        out = self.folder / "out"
        text = self.run_tool("symbolize", "-o", out,
                             *(captures or [self.capture()]), server=url)
        said = text + self.err
        return self.names(out / "a.pb.gz"), said

    def debug_bytes(self, library=LIBRARY):
        subprocess.run(["objcopy", "--only-keep-debug", library,
                        self.folder / "bytes"], check=True)
        return (self.folder / "bytes").read_bytes()

    def test_a_server_names_what_no_file_here_does(self):
        with server(self.debug_bytes()) as one:
            names, text = self.symbolize(one.url)
        self.assertEqual(names["a"][0][0], "sample_local")
        self.assertGreater(names["a"][0][1], 0)
        self.assertEqual(one.requests,
                         [f"/buildid/{self.build_id}/debuginfo"])
        self.assertIn("1 debug files from debuginfod", text)

    def test_without_the_variable_no_server_is_asked(self):
        names, text = self.symbolize(None)
        self.assertEqual(names["b"], [(self.place, 42)])
        self.assertNotIn("debuginfod", text)
        self.assertFalse((self.folder / "cache").exists())

    def test_what_is_here_is_not_asked_for(self):
        with server(None) as one:
            self.run_tool("symbolize", "--debug-path", self.debug_folder(),
                          "-o", self.folder / "out", self.capture(),
                          server=one.url)
        self.assertEqual(one.requests, [])

    def test_a_file_that_a_server_has_not_is_asked_for_once(self):
        (self.folder / "sub").mkdir()
        captures = [self.capture(), self.capture("sub/b.pb.gz")]
        with server(None) as one:
            names, _ = self.symbolize(one.url, *captures)
        self.assertEqual(names["b"], [(self.place, 42)])
        self.assertEqual(len(one.requests), 1)

    def test_a_server_that_lies_names_nothing(self):
        with server(self.debug_bytes(TOOL)) as one:
            names, _ = self.symbolize(one.url)
        self.assertEqual(names["b"], [(self.place, 42)])
        self.assertEqual(len(one.requests), 1)

    def test_a_server_that_hangs_is_not_asked_again(self):
        (self.folder / "sub").mkdir()
        captures = [self.capture(),
                    self.capture("sub/b.pb.gz", build_id="12" * 20)]
        with server(600) as one:
            names, said = self.symbolize(one.url, *captures)
        self.assertEqual(names["b"], [(self.place, 42)])
        # The client library tries again itself.
        self.assertEqual(set(one.requests),
                         {f"/buildid/{self.build_id}/debuginfo"})
        self.assertRegex(said, "debuginfod is not asked for more: ")

    def test_no_server_there_is_said(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            names, said = self.symbolize(
                f"http://user:secret@127.0.0.1:{port}")
        self.assertEqual(names["b"], [(self.place, 42)])
        self.assertRegex(said, "not asked for more: .*refused")
        self.assertNotIn("secret", said)

    @unittest.skipUnless(shutil.which("debuginfod"), "no debuginfod in PATH")
    def test_elfutils_server_names_it(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        daemon = subprocess.Popen(
            ["debuginfod", "-F", "-p", str(port), "-d", ":memory:",
             self.debug_folder()], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "DEBUGINFOD_URLS": ""})
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)
        url = f"http://127.0.0.1:{port}"
        # It answers 404 until it has looked into the folder.
        for _ in range(600):
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(
                        f"{url}/buildid/{self.build_id}/debuginfo") as answer:
                    if answer.read(4) == b"\x7fELF":
                        break
            time.sleep(0.1)
        names, _ = self.symbolize(url)
        self.assertEqual(names["a"][0][0], "sample_local")


if __name__ == "__main__":
    if LIBRARY is None:
        sys.exit(__doc__)
    unittest.main()
