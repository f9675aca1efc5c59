#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-pyroscope-inspect: what is chosen, grouped, converted and merged.

Usage: test_queries.py TOOL [unittest arguments]
With a pprof in PATH, or named by PPROF, numbers are compared with its.
"""
import csv
import io
import json
import os
import random
import re
import subprocess
import sys
import threading
import unittest

sys.dont_write_bytecode = True
from pprof_file import Profile
from test_command_line import MS, PPROF, TOOL, Case, demo

START = 1_700_000_000


class Query(Case):
    def rows(self, *args):
        return {row["name"]: row["flat"] for row in
                self.run_json("top", "-n", 0, *args)["rows"]}

    def elements(self, *args):
        return self.rows("--by=element", *args)


class Filters(Query):
    def test_values_match_as_patterns_expressions_and_the_opposite(self):
        path = self.demo_file()
        x264, scale, none = 800 * MS, 150 * MS, 50 * MS
        for text, expected in [
                ("element=x264enc*", {"x264enc0": x264}),
                ("element=?26[34]enc0", {"x264enc0": x264}),
                ("element!=x264enc0", {"videoscale0": scale, "(none)": none}),
                ("element!=*", {"(none)": none}),
                ("element!=(none)", {"x264enc0": x264, "videoscale0": scale}),
                ("element~^video|264", {"x264enc0": x264,
                                        "videoscale0": scale}),
                ("element!~scale", {"x264enc0": x264, "(none)": none}),
                ("label:element=videoscale0", {"videoscale0": scale})]:
            with self.subTest(text):
                self.assertEqual(self.elements("-F", text, path), expected)

    def test_text_that_looks_like_a_pattern_matches_itself(self):
        path = Profile().add(["f"], [1, 7], element="a[1]").write(
            self.folder / "a.pb")
        self.assertEqual(self.elements("-F", "element=a[1]", path),
                         {"a[1]": 7})

    def test_wrong_filters_are_said(self):
        path = self.demo_file()
        self.refused("top", "-F", "element~(", path,
                     message=r'--filter "\(" is not a regular expression')
        self.refused("top", "-F", "element~x265", path,
                     message='no sample has the label element~"x265".*x264')
        self.refused("top", "-F", "element=v*x", path, message="videoscale0")
        self.refused("top", "-F", "!=x", path, message="is not LABEL=VALUE")
        self.refused("top", "--focus=(", path, message="--focus")
        self.refused("top", "--focus=nowhere", path,
                     message="no sample of 4 matches the filter$")

    def test_labels_of_the_series_count_like_those_of_samples(self):
        for name, value in [("one", 1), ("two", 2)]:
            Profile(comments=[f"series.service_name={name}",
                              f"series.hostname=h-{name}"]).add(
                ["f"], [1, value]).write(self.folder / f"{name}.pb")
        self.assertEqual(self.rows("--by=service_name", self.folder),
                         {"two": 2, "one": 1})
        self.assertEqual(
            self.rows("--by=hostname", "-F", "service_name=two", self.folder),
            {"h-two": 2})
        self.refused("top", "-F", "service_name=thre", self.folder,
                     message="there are: one, two")

    def test_a_label_that_is_called_function_can_be_reached(self):
        path = Profile().add(["f"], [1, 7], function="label's").write(
            self.folder / "a.pb")
        self.assertEqual(self.rows("--by=function", path), {"f": 7})
        self.assertEqual(self.rows("--by=label:function", path),
                         {"label's": 7})
        self.assertEqual(self.rows("-F", "function=label's", path), {"f": 7})

    def test_all_values_of_one_label_are_shown_and_match(self):
        path = Profile().add(["f"], [1, 7], element=["a", "b"]).add(
            ["f"], [1, 1], element="a").write(self.folder / "a.pb")
        self.assertEqual(self.elements(path), {"a, b": 7, "a": 1})
        self.assertEqual(self.elements("-F", "element=b", path), {"a, b": 7})
        self.assertEqual(self.elements("-F", "element!=b", path), {"a": 1})

    def test_an_expression_that_never_ends_does_end(self):
        path = Profile().add(["f"], [1, 7], element="a" * 2000 + "!").write(
            self.folder / "a.pb")
        self.refused("top", "-F", "element~^(a+)+$", path, message="element~")


class Groups(Query):
    def test_several_keys_make_a_row_of_each_combination(self):
        path = self.demo_file()
        result = self.run_json("top", "--by", "element, function", path)
        self.assertEqual(result["by"], "element,function")
        rows = {tuple(row["names"]): (row["flat"], row["cum"])
                for row in result["rows"]}
        self.assertEqual(rows["x264enc0", "encode"], (500 * MS, 800 * MS))
        self.assertEqual(rows["x264enc0", "main"], (0, 800 * MS))
        self.assertEqual(rows["(none)", "main"], (0, 50 * MS))
        self.assertEqual(
            self.rows("--by=thread,element", path),
            {"enc, x264enc0": 800 * MS, "src, videoscale0": 150 * MS,
             "src, (none)": 50 * MS})
        self.refused("top", "--by=function,mapping", path, message="only one")
        self.refused("top", "--by=element,element", path, message="twice")
        self.refused("top", "--by=element,", path, message="empty")
        self.refused("top", "--by=thread,elemnt", path,
                     message='elemnt.*nearest: "element"')

    def test_lines_are_told_apart_by_their_numbers(self):
        self.assertEqual(self.rows("--by=line", self.demo_file()),
                         {"encode demo.c:42": 500 * MS,
                          "search demo.c:42": 300 * MS,
                          "scale demo.c:42": 150 * MS, "loop demo.c:42": 0,
                          "libdemo.so.1!0x1234": 50 * MS, "main demo.c:42": 0})

    def test_rows_are_sorted_as_asked(self):
        path = self.demo_file()

        def names(*args):
            return [row["name"] for row in
                    self.run_json("top", *args, path)["rows"]]
        self.assertEqual(names("--sort=cum")[0], "main")
        self.assertEqual(names("--sort=name"), sorted(names()))
        self.refused("top", "--sort=size", path,
                     message='"size".*flat, cum, name')

    def test_csv_is_read_back(self):
        evil = 'a,"b"\nc'
        path = Profile().add(["f"], [1, 7], element=evil).write(
            self.folder / "a.pb")
        out = self.run_tool("top", "--by=element,function", "--format=csv",
                            path)
        self.assertEqual(list(csv.reader(io.StringIO(out))), [
            ["element", "function", "flat", "flat_percent", "cum",
             "cum_percent", "unit"],
            [evil, "f", "7", "100", "7", "100", "nanoseconds"]])
        for command in "tree", "labels":
            rows = list(csv.reader(io.StringIO(
                self.run_tool(command, "--format=csv", path))))
            self.assertEqual(len({len(row) for row in rows}), 1)
        self.refused("dump", "--format=csv", path, message='"csv" is not known')

    def test_labels_lists_values_with_their_cost(self):
        self.run_tool("labels", self.demo_file())
        self.assertIn("element: 3 values\n", self.out)
        self.assertIn("    800.00ms  80.00%  x264enc0\n", self.out)
        self.assertIn("service_name: 1 value\n", self.out)
        result = self.run_json("labels", "-n", 1, self.demo_file())
        element, = (label for label in result["labels"]
                    if label["name"] == "element")
        self.assertEqual(element["n_values"], 3)
        self.assertEqual(element["values"], [
            {"name": "x264enc0", "value": 800 * MS, "percent": 80}])


class Times(Query):
    def captures(self):
        for i, name in enumerate(["early", "middle", "late"]):
            Profile(time_ns=(START + 100 * i) * 10**9).add(
                [name], [1, 1]).write(self.folder / f"{i}.pb.gz")
        return self.folder

    def test_a_range_of_time_chooses_captures(self):
        folder = self.captures()
        for args, expected in [
                (("--since", f"@{START + 11}"), {"middle", "late"}),
                (("--since", f"@{START + 9}"), {"early", "middle", "late"}),
                (("--until", f"@{START + 100}"), {"early"}),
                (("--since", "2023-11-14T22:15:00Z", "--until",
                  "2023-11-14T22:15:10Z"), {"middle"}),
                (("--since", "2023-11-14T22:15",), {"middle", "late"}),
                (("--since", "2023-11-14"), {"early", "middle", "late"}),
                (("--until", "1h"), {"early", "middle", "late"}),
                (("--last", "5s"), {"late"}),
                (("--last", "2m"), {"middle", "late"}),
                (("--last", "2m", "--until", f"@{START + 150}"), {"middle"})]:
            with self.subTest(args):
                self.assertEqual(set(self.rows(*args, folder)), expected)
        self.run_tool("top", "--last=5s", folder)
        self.assertIn("note: 2 captures of another time left aside", self.err)

    def test_a_capture_without_a_time_is_in_no_range(self):
        self.captures()
        Profile(time_ns=0).add(["undated"], [1, 1]).write(
            self.folder / "u.pb")
        self.assertIn("undated", self.rows(self.folder))
        self.assertNotIn("undated", self.rows("--since=@0", self.folder))
        self.assertNotIn("undated", self.rows("--last=1d", self.folder))

    def test_wrong_times_are_said(self):
        folder = self.captures()
        for option, value in [("--since", "yesterday"), ("--since", "@x"),
                              ("--until", "25:00"), ("--last", "10"),
                              ("--last", "0s"), ("--last", "-5m"),
                              ("--since", "12:30:xx")]:
            with self.subTest(option=option, value=value):
                self.refused("top", f"{option}={value}", folder,
                             message=f'{option} "{re.escape(value)}" is not')
        self.refused("top", "--since=1m", folder,
                     message="no capture of 3 lies in the time")
        self.refused("top", "--since=@20", "--until=@10", folder,
                     message="not before")


class Sums(Query):
    def test_a_file_that_is_there_twice_counts_once(self):
        path = self.demo_file()
        (self.folder / "link.pb.gz").symlink_to(path)
        os.link(path, self.folder / "hard.pb.gz")
        self.run_tool("top", path, self.folder, f"{self.folder}/./a.pb.gz")
        self.assertIn("cpu: 1.00s in", self.out)
        self.assertIn("note: 4 files were given more than once, and counted "
                      "once", self.err)

    def test_a_mixture_of_services_is_said_in_one_line(self):
        for i in range(5):
            Profile(comments=[f"series.service_name=s{i}",
                              f"series.hostname=h{i % 2}"]).add(
                ["f"], [1, 1]).write(self.folder / f"{i}.pb")
        self.run_tool("top", self.folder)
        self.assertEqual(self.err, (
            "gst-pyroscope-inspect top: note: the captures are of 5 services "
            "(s0, s1, s2, ...), 2 hosts (h0, h1); see --filter "
            "service_name=...\n").replace(" top", ""))
        self.run_tool("top", "-F", "service_name=s1", self.folder)
        self.assertEqual(self.err, "")
        self.run_tool("top", "--by=service_name,hostname", self.folder)
        self.assertEqual(self.err, "")

    def test_a_fifo_in_a_folder_is_left_alone_and_a_given_one_is_read(self):
        self.demo_file()
        os.mkfifo(self.folder / "fifo.pb.gz")
        self.run_tool("top", self.folder)
        self.assertEqual(self.err, "")

        def write():
            (self.folder / "fifo.pb.gz").write_bytes(demo().encode())
        writer = threading.Thread(target=write)
        writer.start()
        self.assertIn("encode", self.run_tool(
            "top", self.folder / "fifo.pb.gz"))
        writer.join()

    def test_a_link_to_nothing_is_said(self):
        self.demo_file()
        (self.folder / "b.pb.gz").symlink_to(self.folder / "nothing")
        self.run_tool("top", self.folder, status=1)
        self.assertIn("b.pb.gz: cannot be opened", self.err)

    def test_other_profilers_formats_are_named(self):
        for content, message in [
                (b"heap profile: 1: 2 [ 3: 4] @ heapprofile\n", "tcmalloc"),
                (b"".join(i.to_bytes(8, "little") for i in (0, 3, 0, 100, 0)),
                 "gperftools.*pprof -proto"),
                (b"PERFILE2" + bytes(100), "perf script")]:
            path = self.folder / "a.pb"
            path.write_bytes(content)
            self.refused("top", path, message=f"a.pb: .*{message}")

    def test_profiles_one_after_the_other_are_not_taken_for_one(self):
        path = self.folder / "a.pb"
        path.write_bytes(demo().encode() + demo(START + 10).encode())
        self.refused("top", path, message="several profiles one after")


class Callers(Query):
    def test_peek_shows_callers_and_callees(self):
        result = self.run_json("peek", "^encode$", self.demo_file())
        self.assertEqual(result["functions"], [{
            "name": "encode", "flat": 500 * MS, "flat_percent": 50,
            "cum": 800 * MS, "cum_percent": 80,
            "callers": [{"name": "loop", "value": 800 * MS}],
            "callees": [{"name": "search", "value": 300 * MS}]}])
        self.run_tool("peek", "encode", self.demo_file())
        self.assertRegex(self.out, r"800.00ms 100.00% \|   loop\n"
                         r"  500.00ms +50.00% +800.00ms +80.00% +\| encode\n"
                         r" +300.00ms +37.50% \|   search\n")

    def test_peek_says_what_is_wrong(self):
        path = self.demo_file()
        self.refused("peek", "nothing", path,
                     message='no function of 6 matches "nothing"')
        self.refused("peek", "(", path, message="FUNCTION")
        self.refused("peek", "encode", message="no file or folder")
        self.refused("peek", message="FUNCTION PATH... is not given")

    def test_what_adds_up_to_nothing_is_still_called(self):
        """Differences have negative values (pprof -proto -diff_base)."""
        profile = Profile()
        profile.add(["moved", "before", "main"], [-5, -5 * MS])
        profile.add(["moved", "after", "main"], [5, 5 * MS])
        profile.add(["other", "main"], [2, 2 * MS])
        path = profile.write(self.folder / "a.pb.gz")
        # What is used after it was freed shows.
        env = {"MALLOC_PERTURB_": "165"}
        for command in ["tree", "-n", "0"], ["peek", "."]:
            with self.subTest(command[0]):
                text = self.run_tool(*command, path, env=env)
                self.assertRegex(text, r"(?m)  -5.00ms 100.00% \|   moved\n")
                self.assertRegex(text, r"(?m) 0 +0.00% +0 +0.00% +\| moved$")
                self.assertRegex(text, r"(?m)  2.00ms +\S+ \|   other$")

    def test_tree_shows_as_many_functions_as_asked(self):
        result = self.run_json("tree", "-n", 2, "--sort=cum",
                               self.demo_file())
        self.assertEqual([f["name"] for f in result["functions"]],
                         ["main", "encode"])
        self.assertEqual(result["left_out"], 4)

    def test_recursion_counts_once(self):
        path = Profile().add(["f", "g", "f", "g", "f"], [1, 7]).add(
            ["f", "f"], [1, 1]).write(self.folder / "a.pb")
        result = self.run_json("peek", "^f$", path)["functions"][0]
        self.assertEqual((result["flat"], result["cum"]), (8, 8))
        self.assertEqual(result["callers"], [{"name": "g", "value": 7}])
        self.assertEqual(result["callees"], [{"name": "g", "value": 7}])


class Converted(Query):
    def test_folded_and_json_are_those_of_their_commands(self):
        path = self.demo_file()
        self.assertEqual(self.run_tool("convert", "--to=folded", path),
                         self.run_tool("folded", path))
        self.assertEqual(
            self.run_tool("convert", "--to=folded", "--by=element", path),
            self.run_tool("folded", "--root=element", path))
        self.assertEqual(self.run_tool("convert", "--to=json", path),
                         self.run_tool("dump", "--format=json", path))

    def test_speedscope_has_the_same_stacks_and_weights(self):
        path = self.demo_file()
        data = json.loads(self.run_tool("convert", "--to=speedscope", path))
        self.assertEqual(
            data["$schema"],
            "https://www.speedscope.app/file-format-schema.json")
        names = [frame["name"] for frame in data["shared"]["frames"]]
        (profile,) = data["profiles"]
        stacks = {";".join(names[i] for i in stack): weight for stack, weight
                  in zip(profile["samples"], profile["weights"], strict=True)}
        self.assertEqual(stacks["main;loop;encode;search"], 300 * MS)
        self.assertEqual((profile["type"], profile["unit"],
                          profile["endValue"]),
                         ("sampled", "nanoseconds", 1000 * MS))
        data = json.loads(self.run_tool("convert", "--to=speedscope",
                                        "--by=element", path))
        self.assertEqual({one["name"]: one["endValue"]
                          for one in data["profiles"]},
                         {"(none)": 50 * MS, "videoscale0": 150 * MS,
                          "x264enc0": 800 * MS})

    def test_pprof_has_the_filters_applied_and_all_types(self):
        path = self.demo_file()
        out = self.folder / "out"
        self.run_tool("convert", "--to=pprof", "-F", "element=x264enc0",
                      "--hide=loop", "-o", out, path)
        self.assertEqual(out.read_bytes()[:2], b"\x1f\x8b")
        self.assertEqual(self.rows(out), {
            "encode": 500 * MS, "search": 300 * MS, "main": 0})
        self.assertEqual(self.rows("--type=samples", out),
                         {"encode": 50, "search": 30, "main": 0})

    def test_merge_is_the_sum(self):
        self.demo_file("a.pb.gz")
        demo(START + 10).write(self.folder / "b.pb.gz")
        out = self.folder / "sum.pb.gz"
        self.run_tool("merge", "-o", out, self.folder)
        result = self.run_json("summary", out)["profiles"][0]
        self.assertEqual(result["totals"][1]["value"], 2000 * MS)
        self.assertEqual(result["duration_nanos"], 20 * 10**9)
        self.assertEqual(result["stored_samples"], 4)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["a.pb.gz", "b.pb.gz", "sum.pb.gz"])

    def test_what_cannot_be_written_is_said_and_nothing_is_left(self):
        path = self.demo_file()
        self.refused("merge", "-o", self.folder / "no/such/x.pb", path,
                     message="no/such/x.pb cannot be written: No such file")
        self.refused("merge", "-o", "/dev/full", path,
                     message="/dev/full cannot be written: No space")
        self.refused("convert", path, message="--to is not given")
        self.refused("convert", "--to=foldd", path,
                     message='nearest: "folded"')
        self.assertEqual(os.listdir(self.folder), ["a.pb.gz"])

    def test_a_file_is_written_where_something_is_left_or_closed(self):
        """exec keeps the process's number, which the unfinished file has."""
        path = self.demo_file()
        victim = self.folder / "victim"
        victim.write_text("mine")
        for before, after in [("ln -s victim out.$$.partial;", ""),
                              ("", ">&-")]:
            with self.subTest(before + after):
                subprocess.run(
                    ["sh", "-c", f'{before} exec "$0" convert --to=folded '
                     f'-o out "$1" {after}', TOOL, path], check=True,
                    cwd=self.folder, stdout=subprocess.DEVNULL)
                out = self.folder / "out"
                self.assertIn("main;loop;encode", out.read_text())
                self.assertFalse(out.is_symlink())
                self.assertEqual(victim.read_text(), "mine")
                out.unlink()
                self.assertEqual(sorted(os.listdir(self.folder)),
                                 ["a.pb.gz", "victim"])

    def test_all_commands_work_in_a_pipe(self):
        path = self.demo_file()
        merged = subprocess.run([TOOL, "merge", str(path)],
                                capture_output=True, check=True).stdout
        self.assertIn("encode", self.run_tool("top", "-", stdin=merged))


@unittest.skipUnless(PPROF, "no pprof (PPROF, PATH)")
class AgainstPprof(Query):
    def pprof(self, *args):
        return subprocess.run(
            [PPROF, "-unit=nanoseconds", "-nodefraction=0", "-edgefraction=0",
             *map(str, args)], capture_output=True, check=True).stdout.decode()

    def pprof_rows(self, *args):
        rows = {}
        for line in self.pprof("-top", *args).splitlines():
            match = re.match(r"\s*(-?\d+)(?:ns)?\s+\S+%\s+\S+%\s+(-?\d+)"
                             r"(?:ns)?\s+\S+%\s+(.*)", line)
            if match:
                rows[match[3]] = (int(match[1]), int(match[2]))
        return rows

    def pprof_tree(self, *args):
        """{name: (flat, cum, {caller: value}, {callee: value})}"""
        tree = {}
        for block in re.split(r"(?m)^-+\+-+\n", self.pprof(*args))[2:]:
            above, below, node = {}, {}, None
            for line in block.splitlines():
                edge = re.match(r"\s+(\d+)(?:ns)?\s+\S+%\s+\|   (\S+)", line)
                own = re.match(r"\s*(\d+)(?:ns)?\s+\S+%\s+\S+%\s+(\d+)(?:ns)?"
                               r"\s+\S+%\s+\| (\S+)", line)
                if edge:
                    (above if node is None else below)[edge[2]] = int(edge[1])
                elif own:
                    node = own[3], int(own[1]), int(own[2])
            if node:
                tree[node[0]] = (*node[1:], above, below)
        return tree

    def my_tree(self, *args):
        return {f["name"]: (
            f["flat"], f["cum"],
            {e["name"]: e["value"] for e in f["callers"]},
            {e["name"]: e["value"] for e in f["callees"]})
            for f in self.run_json(*args)["functions"]}

    def captures(self):
        """20 captures of random stacks, with recursion, from 12 functions."""
        dice = random.Random(16)
        paths = []
        for i in range(20):
            profile = Profile(time_ns=(START + 10 * i) * 10**9)
            for _ in range(200):
                stack = [f"f{dice.randrange(12)}"
                         for _ in range(dice.randrange(1, 9))]
                profile.add(stack + ["main"], [1, dice.randrange(10**9)],
                            element=f"e{dice.randrange(3)}")
            paths.append(profile.write(self.folder / f"{i:02}.pb.gz"))
        return paths

    def test_sums_of_twenty_captures_are_the_same(self):
        paths = self.captures()
        for mine, its in [
                ([], []),
                (["--focus=f1$"], ["-focus=f1$"]),
                (["--ignore=f[23]$"], ["-ignore=f[23]$"]),
                (["--hide=f[45]$"], ["-hide=f[45]$"]),
                (["--show-from=f6"], ["-show_from=f6"]),
                (["--focus=f7", "--ignore=f8", "--hide=f9|main",
                  "--show-from=f1"],
                 ["-focus=f7", "-ignore=f8", "-hide=f9|main",
                  "-show_from=f1"]),
                (["-F", "element=e1"], ["-tagfocus=element=e1"]),
                (["-F", "element!=e1"], ["-tagignore=element=e1"])]:
            with self.subTest(mine):
                rows = {row["name"]: (row["flat"], row["cum"]) for row in
                        self.run_json("top", "-n", 0, *mine, *paths)["rows"]}
                self.assertTrue(rows)
                self.assertEqual(rows, self.pprof_rows(*its, *paths))
                self.assertEqual(
                    self.my_tree("tree", "-n", 0, *mine, *paths),
                    self.pprof_tree("-tree", *its, *paths))
        tree = self.my_tree("peek", "^f1", *paths)
        self.assertEqual(set(tree), {"f1", "f10", "f11"})
        self.assertEqual(tree, self.pprof_tree("-peek=^f1", *paths))

    def test_what_is_merged_and_converted_is_read_alike(self):
        paths = self.captures()
        self.run_tool("merge", "-o", self.folder / "sum", *paths)
        self.assertEqual(self.pprof_rows(self.folder / "sum"),
                         self.pprof_rows(*paths))


if __name__ == "__main__":
    if TOOL is None:
        sys.exit(__doc__)
    unittest.main()
