#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-pyroscope-inspect: diff.

Usage: test_diff.py TOOL [unittest arguments]
With a pprof in PATH, or named by PPROF, numbers are compared with its.
"""
import csv
import io
import json
import random
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from pprof_file import Profile
from test_command_line import MS, PPROF, TOOL, Case


class Differences(Case):
    """A thousand samples of 10 ms, of which B has more in one element."""

    def write(self, name, n, others=500, comments=(), **how):
        profile = Profile(comments=comments, **how)
        profile.add(["encode", "main"], [n, n * 10 * MS], element="x264enc0",
                    thread="enc")
        profile.add(["scale", "main"], [others, others * 10 * MS],
                    element="videoscale0", thread="src")
        return profile.write(self.folder / f"{name}.pb.gz")

    def diff(self, *args, status=0):
        self.run_tool("diff", *args, "--format=json", status=status)
        result = json.loads(self.out)
        return {row["name"]: row for row in result["rows"]}, result

    def test_rows_have_both_values_and_an_interval(self):
        rows, result = self.diff(self.write("a", 400), self.write("b", 500))
        row = rows["x264enc0"]
        self.assertEqual((row["a"]["flat"], row["b"]["flat"], row["delta"]),
                         (4000 * MS, 5000 * MS, 1000 * MS))
        # sqrt (400 + 500) samples of 10 ms, with what dithering adds.
        half = 1.96 * 30 * 10 * MS * 1.03 ** 0.5
        self.assertAlmostEqual(row["high"] - row["delta"], half,
                               delta=half / 1000)
        self.assertTrue(row["significant"])
        self.assertFalse(rows["videoscale0"]["significant"])
        self.assertEqual(result["total"]["delta"], 1000 * MS)

    def test_what_chance_explains_is_marked(self):
        rows, _ = self.diff(self.write("a", 400), self.write("b", 440))
        self.assertFalse(rows["x264enc0"]["significant"])
        self.run_tool("diff", self.folder / "a.pb.gz",
                      self.folder / "b.pb.gz")
        self.assertRegex(self.out, r"(?m)^ +4.00s +4.40s +\+400.00ms "
                         r"+\d+.\d+ms +\+10.00% ~ x264enc0$")

    def test_expirations_that_came_together_make_it_less_certain(self):
        comments = ["stats.samples=300", "stats.overruns=900"]
        rows, _ = self.diff(self.write("a", 400, comments=comments),
                            self.write("b", 500, comments=comments))
        self.assertFalse(rows["x264enc0"]["significant"])

    def test_time_that_was_read_from_a_clock_has_no_noise(self):
        for name, value in [("a", 10), ("b", 11)]:
            Profile().add(["[not sampled: signal blocked]"], [0, value],
                          element="e").write(self.folder / f"{name}.pb")
        rows, _ = self.diff(self.folder / "a.pb", self.folder / "b.pb")
        self.assertTrue(rows["e"]["significant"])
        self.assertEqual(rows["e"]["low"], rows["e"]["high"])

    def test_values_can_be_per_second_or_shares(self):
        a, b = self.write("a", 400), self.write("b", 800, others=1000,
                                                seconds=20)
        rows, _ = self.diff("--normalise=time", a, b)
        self.assertEqual(rows["x264enc0"]["a"]["scaled"], 400 * MS)
        self.assertEqual(rows["x264enc0"]["delta"], 0)
        rows, _ = self.diff("--normalise=cpu", a, b)
        self.assertAlmostEqual(rows["x264enc0"]["b"]["scaled"], 800 / 1800,
                               places=5)
        self.assertEqual(rows["x264enc0"]["delta"], 0)

    def test_what_is_new_and_gone_is_said(self):
        a = Profile().add(["f"], [100, 1000 * MS], element="old").write(
            self.folder / "a.pb")
        b = Profile().add(["f"], [100, 1000 * MS], element="young").write(
            self.folder / "b.pb")
        self.run_tool("diff", a, b)
        self.assertRegex(self.out, r"(?m) gone \* old$")
        self.assertRegex(self.out, r"(?m) new \* young$")

    def test_a_filter_may_match_on_one_side_only(self):
        a = Profile().add(["f"], [100, 1000 * MS], element="old").write(
            self.folder / "a.pb")
        b = Profile().add(["f"], [100, 1000 * MS], element="young").write(
            self.folder / "b.pb")
        for option in "--filter=element=young", "--filter=element~^y":
            with self.subTest(option):
                rows, result = self.diff(option, a, b)
                self.assertEqual(list(rows), ["young"])
                self.assertEqual(rows["young"]["a"]["flat"], 0)
                self.assertEqual(result["total"]["delta"], 1000 * MS)
        rows, _ = self.diff("--filter=element=young", b, a)
        self.assertEqual(rows["young"]["delta"], -1000 * MS)
        self.assertTrue(rows["young"]["significant"])
        for way in "time", "cpu":
            self.run_tool("diff", f"--normalise={way}",
                          "--filter=element=young", a, b)
            self.assertRegex(self.out, r"(?m) new \* young$")
        self.run_tool("diff", "--filter=element=young",
                      "--fail-on=element=young:+5%", a, b, status=3)
        self.refused("diff", "--filter=element=yung", a, b,
                     message='element="yung"')
        self.refused("diff", "--filter=elemnt=young", a, b,
                     message='the label "elemnt".*"element"')
        self.refused("diff", "--filter=element=young", "--by=thraed", a, b,
                     message='the label "thraed"')
        self.refused("diff", "--focus=nothing", a, b,
                     message="no sample of 1 matches the filter")

    def test_a_rule_fails_only_for_what_is_significant(self):
        a = self.write("a", 400)
        for n, rule, status in [
                (500, "element=x264enc0:+5%", 3),
                (500, "element=x264enc0:+20%", 0),
                (425, "element=x264enc0:+5%", 0),  # 6.25 %: chance
                (300, "element=x264enc0:+5%", 0),
                (300, "element=x264enc0:-5%", 3),
                (500, "function=encode:+5%", 3),
                (500, "function=main:+5%", 0),  # nothing in itself
                (600, "total:+5%", 3), (450, "total:+5%", 0)]:
            with self.subTest(n=n, rule=rule):
                self.run_tool("diff", "--fail-on", rule, a,
                              self.write("b", n), status=status)
                self.assertEqual(bool(self.err), status == 3)
        self.run_tool("diff", "--by=function", "--cum", "--fail-on",
                      "function=main:+5%", a, self.write("b", 700), status=3)
        self.assertIn("--fail-on function=main:+5%: it has changed by +33.33%",
                      self.err)

    def test_what_is_wrong_is_said(self):
        a, b = self.write("a", 400), self.write("b", 500)
        self.refused("diff", a, message="two paths are compared, and 1 is")
        self.refused("diff", "--normalise=buffer", a, b, message="none, time")
        for rule in "x264enc0", "element=x:5%", "=x:+5%", "element=x:+5":
            self.refused("diff", "--fail-on", rule, a, b,
                         message="is not a rule, such as")
        self.run_tool("diff", "--fail-on=element=x265:+5%", a, b, status=1)
        self.assertIn("this is in neither profile", self.err)
        wall = Profile((("wall", "nanoseconds"),)).add(["f"], [1]).write(
            self.folder / "w.pb")
        self.refused("diff", a, wall, message="cpu/nanoseconds and "
                     "wall/nanoseconds cannot be compared")

    def test_csv_has_the_interval(self):
        out = self.run_tool("diff", "--format=csv", "--by=element,thread",
                            self.write("a", 400), self.write("b", 500))
        rows = list(csv.DictReader(io.StringIO(out)))
        self.assertEqual((rows[0]["element"], rows[0]["thread"],
                          rows[0]["significant"]), ("x264enc0", "enc", "yes"))

    def test_the_interval_holds_what_it_promises(self):
        """Of 200 pairs that differ by chance alone, some 5 % are marked."""
        dice = random.Random(95)
        n_marked = 0
        for _ in range(200):
            for name in "ab":
                n = sum(dice.random() < 0.1 for _ in range(1000))
                self.write(name, n)
            rows, _ = self.diff(self.folder / "a.pb.gz",
                                self.folder / "b.pb.gz")
            n_marked += rows["x264enc0"]["significant"]
        self.assertLess(n_marked, 20)
        self.assertGreater(n_marked, 0)


@unittest.skipUnless(PPROF, "no pprof (PPROF, PATH)")
class AgainstPprof(Case):
    def test_differences_are_the_same(self):
        dice = random.Random(16)
        paths = []
        for i in range(2):
            profile = Profile()
            for _ in range(300):
                stack = [f"f{dice.randrange(12)}"
                         for _ in range(dice.randrange(1, 9))]
                profile.add(stack + ["main"], [1, dice.randrange(10**9)])
            paths.append(profile.write(self.folder / f"{i}.pb.gz"))
        out = subprocess.run(
            [PPROF, "-unit=nanoseconds", "-nodefraction=0", "-top",
             "-diff_base", str(paths[0]), str(paths[1])],
            capture_output=True, check=True).stdout.decode()
        its = {}
        for line in out.splitlines():
            match = re.match(r"\s*(-?\d+)(?:ns)?\s+\S+%\s+\S+%\s+(-?\d+)"
                             r"(?:ns)?\s+\S+%\s+(.*)", line)
            if match:
                its[match[3]] = (int(match[1]), int(match[2]))
        rows = self.run_json("diff", "-n", 0, "--by=function", *paths)["rows"]
        self.assertTrue(its)
        self.assertEqual(its, {
            row["name"]: (row["b"]["flat"] - row["a"]["flat"],
                          row["b"]["cum"] - row["a"]["cum"]) for row in rows})


if __name__ == "__main__":
    if TOOL is None:
        sys.exit(__doc__)
    unittest.main()
