#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-pyroscope-inspect through its command line.

Usage: test_command_line.py TOOL [unittest arguments]
With a pprof in PATH, or named by PPROF, totals and rows are compared with it.
"""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from pprof_file import Profile, bomb, message

TOOL = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
PPROF = os.environ.get("PPROF") or shutil.which("pprof")
COMMANDS = ["summary", "top", "folded", "dump", "tree", "labels"]
COMMENTS = [
    "series.__name__=process_cpu", "series.service_name=camera",
    "series.hostname=h1", "stats.samples=100", "stats.dropped=25",
    "stats.truncated=5", "stats.complete=95", "stats.rescued=7",
    "stats.truncated.depth=2", "sampler.rate=100", "a remark",
]
MS = 1_000_000


def demo(start_s=1_700_000_000):
    """100 samples of 10 ms: 95 with an element, 5 without."""
    profile = Profile(time_ns=start_s * 10**9, comments=COMMENTS)
    profile.add(["encode", "loop", "main"], [50, 500 * MS],
                element="x264enc0", thread="enc", attribution="exact")
    profile.add(["search", "encode", "loop", "main"], [30, 300 * MS],
                element="x264enc0", thread="enc", attribution="inherited")
    profile.add(["scale", "main"], [15, 150 * MS], element="videoscale0",
                thread="src", attribution="exact")
    profile.add([0x1234, "main"], [5, 50 * MS], thread="src",
                attribution="none")
    return profile


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_tool(self, *args, status=0, env=None, stdin=None):
        result = subprocess.run(
            [TOOL, *map(str, args)], capture_output=True, timeout=120,
            input=stdin, env={**os.environ, "TZ": "UTC", **(env or {})})
        self.out = result.stdout.decode()
        self.err = result.stderr.decode()
        self.assertEqual(result.returncode, status, self.out + self.err)
        if status == 0 and env is None:
            self.assertNotRegex(self.err, "(?i)sanitizer|critical|warning")
        return self.out

    def run_json(self, *args):
        return json.loads(self.run_tool(*args, "--format", "json"))

    def refused(self, *args, message):
        """Exit 1, one line on stderr that matches, nothing printed."""
        self.run_tool(*args, status=1)
        self.assertEqual(self.out, "")
        self.assertRegex(self.err, r"\Agst-pyroscope-inspect: [^\n]*\n\Z")
        self.assertRegex(self.err, message)

    def demo_file(self, name="a.pb.gz", **how):
        return demo(**how).write(self.folder / name)


class Top(Case):
    def rows(self, *args):
        result = self.run_json("top", "-n", 0, *args)
        return {row["name"]: (row["flat"], row["cum"])
                for row in result["rows"]}

    def test_by_function_counts_the_leaf_flat_and_callers_cum(self):
        self.assertEqual(self.rows(self.demo_file()), {
            "encode": (500 * MS, 800 * MS),
            "search": (300 * MS, 300 * MS),
            "scale": (150 * MS, 150 * MS),
            "libdemo.so.1!0x1234": (50 * MS, 50 * MS),
            "loop": (0, 800 * MS),
            "main": (0, 1000 * MS),
        })

    def test_a_label_is_summed_and_its_lack_is_none(self):
        path = self.demo_file()
        self.assertEqual(self.rows("--by", "element", path), {
            "x264enc0": (800 * MS, 800 * MS),
            "videoscale0": (150 * MS, 150 * MS),
            "(none)": (50 * MS, 50 * MS),
        })
        self.assertEqual(self.rows("--by=thread", "--type=samples", path),
                         {"enc": (80, 80), "src": (20, 20)})

    def test_by_mapping(self):
        self.assertEqual(self.rows("--by", "mapping", self.demo_file()),
                         {"/usr/lib/libdemo.so.1": (1000 * MS, 1000 * MS)})

    def test_recursion_counts_once(self):
        path = Profile().add(["f", "g", "f", "f"], [1, 7]).write(
            self.folder / "a.pb")
        self.assertEqual(self.rows(path), {"f": (7, 7), "g": (0, 7)})

    def test_a_sample_without_stack_is_shown(self):
        path = Profile().add([], [1, 7]).write(self.folder / "a.pb")
        self.assertEqual(self.rows(path), {"(no stack)": (7, 7)})

    def test_columns_are_those_of_pprof(self):
        self.run_tool("top", self.demo_file())
        lines = self.out.splitlines()
        self.assertEqual(lines[0], "cpu: 1.00s in 10.00s (10.0% of one core),"
                                   " 1 file")
        self.assertEqual(lines[1].split(), "flat flat% sum% cum cum% "
                                           "function".split())
        self.assertEqual(lines[3].split(), "300.00ms 30.00% 80.00% 300.00ms "
                                           "30.00% search".split())

    def test_what_is_left_out_is_said(self):
        path = self.demo_file()
        self.run_tool("top", "-n", 1, path)
        self.assertRegex(self.out, r"(?m)^and 5 more with 500.00ms, 50.00% ")
        result = self.run_json("top", "-n", 1, path)
        self.assertEqual(result["left_out"], {"rows": 5, "flat": 500 * MS})

    def test_cum_sorts_by_cum(self):
        result = self.run_json("top", "--cum", self.demo_file())
        self.assertEqual([row["name"] for row in result["rows"]][:3],
                         ["main", "encode", "loop"])

    def test_filters_must_all_match(self):
        path = self.demo_file()
        self.assertEqual(
            self.rows("--by=attribution", "--filter=element=x264enc0", path),
            {"exact": (500 * MS,) * 2, "inherited": (300 * MS,) * 2})
        self.assertEqual(
            self.rows("--by=attribution", "-F", "thread=src",
                      "-F", "element=(none)", path),
            {"none": (50 * MS,) * 2})
        self.refused("top", "-F", "thread=src", "-F", "element=x264enc0",
                     path, message="no sample of 4 matches the filters")

    def test_a_numeric_label_is_a_label(self):
        path = Profile().add(["f"], [1, 7], size=(4096, "bytes")).write(
            self.folder / "a.pb")
        self.assertEqual(self.rows("--by=size", path), {"4096 bytes": (7, 7)})
        self.assertEqual(self.rows("-F", "size=4096 bytes", path),
                         {"f": (7, 7)})

    def test_the_type_is_the_profiles_default_then_cpu_then_the_last(self):
        types = (("cpu", "nanoseconds"), ("wall", "nanoseconds"))
        path = Profile(types).add(["f"], [1, 2]).write(self.folder / "a.pb")
        self.assertEqual(self.run_json("top", path)["type"], "cpu")
        path = Profile(types, default="wall").add(["f"], [1, 2]).write(
            self.folder / "a.pb")
        self.assertEqual(self.run_json("top", path)["type"], "wall")
        types = (("objects", "count"), ("space", "bytes"))
        path = Profile(types).add(["f"], [1, 2]).write(self.folder / "a.pb")
        self.assertEqual(self.run_json("top", path)["type"], "space")


class Wrong(Case):
    def test_names_that_are_unknown_come_with_the_nearest(self):
        path = self.demo_file()
        self.refused("topp", path, message='"topp".*nearest: "top"')
        self.refused("top", "--type=cpus", path,
                     message='"cpus".*nearest: "cpu".*samples, cpu')
        self.refused("top", "--by=elemnt", path,
                     message='elemnt.*nearest: "element".*thread')
        self.refused("folded", "--root=elemnt", path,
                     message='--root elemnt.*nearest: "element"')
        self.refused("top", "--filter=elemnt=x", path,
                     message='"elemnt".*nearest: "element"')
        self.refused("dump", "--filter=element=x264enc1", path,
                     message='x264enc1.*nearest: "x264enc0"')
        self.refused("summary", "--format=jsn", path,
                     message='--format "jsn".*nearest: "json"')

    def test_usage_errors_are_said(self):
        path = self.demo_file()
        self.refused(message="no command")
        self.refused("top", message="no file or folder")
        self.refused(path, message=f"summary {re.escape(str(path))}")
        self.refused("--format", "json", message="the command comes first")
        self.refused("top", "--nonsense", path, message="--nonsense")
        self.refused("top", "-n", "-1", path, message="-n -1")
        self.refused("top", "-n", "many", path, message="many")
        self.refused("top", "--filter=x", path, message='"x" is not LABEL=')
        self.refused("top", "--filter==x", path, message="is not LABEL=VALUE")
        self.refused("top", "--max-size=0", path, message="--max-size 0")

    def test_files_that_cannot_be_read_are_named_with_the_reason(self):
        good = self.demo_file().read_bytes()
        bad = self.folder / "bad.pb.gz"
        for content, reason in [
                (b"", "is empty"),
                (b"hello world, this is text\n", "no pprof profile"),
                (b"{\"json\": true}", "no pprof profile"),
                (good[:len(good) // 2], "cut off"),
                (good[:-1], "cut off"),
                (good[:50] + b"\xff\xff\xff" + good[53:], "damaged|pprof"),
                (demo().encode()[:-1], "cut off"),
        ]:
            bad.write_bytes(content)
            for command in COMMANDS:
                with self.subTest(reason=reason, command=command):
                    self.refused(command, bad,
                                 message=f"bad.pb.gz: .*({reason})")

    def test_bombs_are_refused_within_the_limit(self):
        bad = self.folder / "bad.pb.gz"
        for content, reason in [
                (bomb(9 << 20), "limit of 8388608 bytes"),
                # Two bytes each, which unpack to more than a hundred.
                (message(2, b"") * 4_000_000, "memory than the limit"),
        ]:
            bad.write_bytes(content)
            for command in COMMANDS:
                with self.subTest(reason=reason, command=command):
                    self.refused(command, "--max-size=8", bad,
                                 message=f"bad.pb.gz: .*{reason}.*--max-size")

    def test_a_contradicting_profile_is_refused(self):
        path = self.folder / "a.pb"
        profile = Profile().add(["f"], [1, 2]).add(["f"], [1])
        profile.write(path)
        self.refused("top", path, message="sample 1 has 1 values for 2")

    def test_the_limit_can_be_moved(self):
        path = self.folder / "a.pb"
        profile = Profile()
        for i in range(200):
            profile.add([f"{i} " + "long" * 2000], [1, 1])
        profile.write(path, zipped=False)
        self.refused("top", "--max-size=1", path, message="--max-size")
        self.run_tool("top", "--max-size=2", path)

    def test_missing_files_and_folders_are_said(self):
        self.refused("top", self.folder / "none.pb", message="none.pb.*No such")
        self.refused("top", self.folder, message="no profile in this folder")

    def test_one_bad_file_does_not_hide_the_good_ones(self):
        self.demo_file("a.pb.gz")
        self.demo_file("sub/c.pprof") if (self.folder / "sub").mkdir() else 0
        (self.folder / "b.pb.gz").write_bytes(b"rubbish")
        for command in COMMANDS:
            self.run_tool(command, self.folder, status=1)
            self.assertRegex(self.err, r"\A[^\n]*b.pb.gz: [^\n]*\n\Z")
            self.assertNotEqual(self.out, "")

    def test_a_full_disk_is_said(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            result = subprocess.run([TOOL, "top", str(self.demo_file())],
                                    stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot be written", result.stderr)


class Input(Case):
    def test_a_folder_is_read_at_any_depth_and_merged(self):
        (self.folder / "x/y").mkdir(parents=True)
        self.demo_file("a.pb.gz")
        demo(1_700_000_010).write(self.folder / "x/b.pb", zipped=False)
        demo(1_700_000_020).write(self.folder / "x/y/c.pprof")
        (self.folder / "x/readme.txt").write_text("no profile")
        (self.folder / ".hidden.pb.gz").write_text("unfinished")
        (self.folder / "x/loop").symlink_to(self.folder)
        result = self.run_json("summary", self.folder)["profiles"]
        self.assertEqual(len(result), 1)
        self.assertEqual(result[0]["files"], 3)
        self.assertEqual(result[0]["duration_nanos"], 30 * 10**9)
        self.assertEqual(result[0]["totals"][1]["value"], 3000 * MS)
        self.assertEqual(result[0]["stored_samples"], 4)

    def test_standard_input_is_a_file(self):
        self.run_tool("top", "-", stdin=demo().encode())
        self.assertIn("encode", self.out)

    def test_other_types_stay_apart(self):
        self.demo_file()
        wall = Profile((("wall", "nanoseconds"),))
        wall.add(["sleep"], [5]).write(self.folder / "w.pb")
        self.run_tool("top", self.folder)
        self.assertNotIn("sleep", self.out)
        self.assertIn("1 file of other types left aside (wall/nanoseconds",
                      self.err)
        self.run_tool("top", "--type=wall", self.folder)
        self.assertIn("sleep", self.out)
        result = self.run_json("summary", self.folder)["profiles"]
        self.assertEqual([one["type"] for one in result], ["cpu", "wall"])

    def test_a_profile_without_samples_is_one(self):
        path = Profile().write(self.folder / "a.pb.gz")
        for command in COMMANDS:
            self.run_tool(command, path)
            self.run_json(command, path)
        self.run_tool("top", "--by", "element", path)


class Output(Case):
    def test_summary_says_it_all(self):
        self.run_tool("summary", self.demo_file())
        for line in [
                "profile      process_cpu of camera",
                "start        2023-11-14 22:13:20 +0000",
                "duration     10.00s",
                "sampler      rate 100",
                "samples      100 taken, dropped 25 (20.00%)",
                "stacks       complete 95 (95.00%), truncated 5 (5.00%), "
                "rescued 7 (7.00%)",
                "truncated by depth 2 (2.00%)",
                "total        samples: 100 in 10.00s",
                "total        cpu: 1.00s in 10.00s (10.0% of one core)",
                "label        element: 2 values, on 95.00% of cpu",
                "attribution  exact 65.00% of cpu",
                "attribution  none 5.00% of cpu",
                "series       hostname=h1",
                "comment      a remark"]:
            self.assertIn(line + "\n", self.out)

    def test_summary_says_what_has_no_stacks(self):
        profile = demo()
        profile.add(["[not sampled: signal blocked]"], [0, 1000 * MS],
                    thread="llvmpipe-0")
        path = profile.write(self.folder / "blocked.pb.gz")
        self.run_tool("summary", path)
        self.assertIn("not sampled  signal blocked 50.00% of cpu\n", self.out)
        (result,) = self.run_json("summary", path)["profiles"]
        self.assertEqual(result["not_sampled"], [
            {"name": "signal blocked", "value": 1000 * MS, "percent": 50}])
        self.run_tool("summary", self.demo_file())
        self.assertNotIn("not sampled", self.out)

    def test_summary_says_where_names_come_from(self):
        profile = Profile(comments=["names.debug-statements=lib.so 01ab"])
        profile.add(["known", ("stated", "lib.so!0x10"), "lib.so!0x20", 7],
                    [1, 10 * MS])
        profile.add([("stated", "lib.so!0x10")], [1, 40 * MS])
        path = profile.write(self.folder / "a.pb.gz")
        self.run_tool("summary", path)
        self.assertIn("names        from symbols 12.50%, from debug statements "
                      "62.50%, none 25.00%, of all frames by cpu\n", self.out)
        self.assertNotIn("comment", self.out)
        (result,) = self.run_json("summary", path)["profiles"]
        self.assertEqual(result["names"], {
            "symbols_percent": 12.5, "debug_statements_percent": 62.5,
            "none_percent": 25})
        self.assertEqual(result["named_by"], [
            {"name": "debug-statements", "value": "lib.so 01ab"}])

    def test_folded_is_root_first(self):
        self.run_tool("folded", self.demo_file())
        self.assertEqual(self.out.splitlines(), [
            "main;libdemo.so.1!0x1234 50000000",
            "main;loop;encode 500000000",
            "main;loop;encode;search 300000000",
            "main;scale 150000000"])
        self.run_tool("folded", "--root=thread", "--root=element",
                      "--type=samples", self.demo_file())
        self.assertIn("src;(none);main;libdemo.so.1!0x1234 5\n", self.out)

    def test_dump_shows_every_sample(self):
        self.run_tool("dump", self.demo_file())
        self.assertEqual(len(re.findall("(?m)^sample [0-9]+$", self.out)), 4)
        self.assertIn("build-id c0ffee", self.out)
        self.assertIn("  element: x264enc0\n", self.out)
        self.assertIn("  #0   0x2001 libdemo.so.1  encode demo.c:42\n", self.out)
        result = self.run_json("dump", self.demo_file())
        self.assertEqual(result["samples"][3]["values"], [5, 50 * MS])
        self.assertEqual(result["comments"], COMMENTS)
        self.assertEqual(result["mappings"][0]["build_id"], "c0ffee")

    def test_hostile_names_harm_nothing(self):
        evil = b'a;b\n"c\\\x1b[31m\x07\x7f\xff\xc2\x9b \xe2\x80\xa8 end 7'
        path = Profile(comments=[b"series.x=" + evil, evil]).add(
            [evil, "main"], [1, 9], element=evil).write(self.folder / "a.pb")
        for command in COMMANDS + ["top --by=element"]:
            self.run_tool(*command.split(), path)
            self.assertNotRegex(self.out, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
            json.dumps(self.run_json(*command.split(), path))
        self.run_tool("folded", path)
        self.assertRegex(self.out, r"\Amain;a:b\?[^;\n]* end 7 9\n\Z")
        rows = self.run_json("top", path)["rows"]
        self.assertTrue(rows[0]["name"].startswith('a;b\n"c\\\x1b[31m\x07'))

    def test_huge_values_neither_wrap_nor_crash(self):
        largest = 2**63 - 1
        path = Profile(time_ns=largest, seconds=9 * 10**9)
        path.add(["f"], [largest, largest], element="a")
        path.add(["f"], [largest, largest], element="b")
        path.add(["g"], [-largest - 1, -5])
        path = path.write(self.folder / "a.pb")
        for command in COMMANDS:
            self.run_tool(command, path)
            self.run_json(command, path)
        rows = self.run_json("top", path)["rows"]
        # JavaScript would read another number.
        self.assertEqual(rows[0]["flat"], str(largest))

    def on_a_terminal(self, *args, **env):
        primary, secondary = pty.openpty()
        variables = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env}
        if "NO_COLOR" not in env:
            variables.pop("NO_COLOR", None)
        process = subprocess.Popen([TOOL, *map(str, args)], stdout=secondary,
                                   env=variables)
        os.close(secondary)
        data = b""
        try:
            while chunk := os.read(primary, 65536):
                data += chunk
        except OSError:  # Linux: the other side was closed
            pass
        os.close(primary)
        self.assertEqual(process.wait(), 0)
        return data.decode()

    def test_a_terminal_gets_colour_and_bars_a_pipe_does_not(self):
        path = self.demo_file()
        shown = self.on_a_terminal("top", path)
        self.assertIn("\x1b[31m", shown)
        self.assertIn("\u2588" * 16, shown)
        for plain in [self.run_tool("top", path),
                      self.on_a_terminal("top", path, NO_COLOR="1"),
                      self.on_a_terminal("top", path, TERM="dumb"),
                      self.on_a_terminal("top", "--color=never", path)]:
            self.assertNotIn("\x1b", plain)
            self.assertNotIn("\u2588", plain)
        self.assertIn("\x1b", self.run_tool("top", "--color=always", path))
        self.assertIn("####", self.on_a_terminal("top", path, LC_ALL="C"))

    def test_help_and_version(self):
        self.assertRegex(self.run_tool("--version"),
                         r"\Agst-pyroscope-inspect [0-9.]+\n\Z")
        for command in COMMANDS:
            self.assertIn(command, self.run_tool("--help"))
            self.assertIn("--filter", self.run_tool(command, "--help"))


@unittest.skipUnless(PPROF, "no pprof (PPROF, PATH)")
class AgainstPprof(Case):
    def pprof_rows(self, path, *args):
        out = subprocess.run(
            [PPROF, "-top", "-unit=nanoseconds", "-nodefraction=0", *args,
             str(path)], capture_output=True, check=True).stdout.decode()
        rows = {}
        for line in out.splitlines():
            match = re.match(r"\s*(-?\d+)(?:ns)?\s+\S+%\s+\S+%\s+(-?\d+)(?:ns)?"
                             r"\s+\S+%\s+(.*)", line)
            if match:
                rows[match[3]] = (int(match[1]), int(match[2]))
        return rows

    def test_rows_are_the_same(self):
        profile = Profile()
        for i in range(300):
            stack = [f"f{i * 7 % 13}", f"g{i % 5}", f"f{i % 13}", "main"]
            profile.add(stack[i % 3:], [1, 1000 + i], element=f"e{i % 3}")
        path = profile.write(self.folder / "a.pb.gz")
        mine = {row["name"]: (row["flat"], row["cum"])
                for row in self.run_json("top", "-n", 0, path)["rows"]}
        self.assertEqual(mine, self.pprof_rows(path))
        mine = {row["name"]: (row["flat"], row["cum"])
                for row in self.run_json("top", "-n", 0, "-F", "element=e1",
                                         path)["rows"]}
        self.assertEqual(mine, self.pprof_rows(path, "-tagfocus=element=e1"))


if __name__ == "__main__":
    if TOOL is None:
        sys.exit(__doc__)
    unittest.main()
