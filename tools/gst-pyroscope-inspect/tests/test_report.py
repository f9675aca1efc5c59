#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-pyroscope-inspect report, in headless Chromium.

Usage: test_report.py TOOL [unittest arguments]
REPORT_SCREENSHOTS=FOLDER keeps pictures to be looked at.
"""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
from browser import CHROMIUM, Browser
from pprof_file import Profile
from test_command_line import MS, TOOL, Case, demo

START = 1_700_000_000
SCREENSHOTS = os.environ.get("REPORT_SCREENSHOTS")


def setUpModule():
    result = subprocess.run([TOOL, "report", "-o", os.devnull, os.devnull],
                            capture_output=True, check=False, text=True)
    if "built without the report" in result.stderr:
        raise unittest.SkipTest(result.stderr.strip())


class Written(Case):
    """What needs no browser."""

    def test_the_page_is_one_file_that_asks_for_nothing(self):
        out = self.folder / "report.html"
        self.run_tool("report", "-o", out, self.demo_file())
        self.assertEqual((self.out, self.err), ("", ""))
        text = out.read_text()
        self.assertIn("default-src 'none'", text)
        self.assertNotRegex(text, r"<(link|img|iframe)\b|<script[^>]+src=")
        self.assertLess(len(text), 1_500_000)
        self.assertEqual([p.name for p in self.folder.glob("*.html*")],
                         ["report.html"])

    def test_the_page_has_the_licences_of_its_libraries(self):
        text = self.run_tool("report", "-o", "-", self.demo_file())
        text = re.search(r'id="licenses">(.*?)</script>', text, re.S)[1]
        names = ", ".join(re.findall("(?m)^(.*):$", text)).split(", ")
        for name in ["d3-array", "d3-flame-graph", "internmap"]:
            self.assertIn(name, names)

    def test_flamegraph_is_another_name_and_a_pipe_will_do(self):
        path = self.demo_file()
        self.assertEqual(self.run_tool("flamegraph", "-o", "-", path),
                         self.run_tool("report", "-o", "-", path))

    def test_names_do_not_become_html(self):
        evil = "</script><script>alert(1)</script><!-- & \u2028"
        path = Profile().add([evil, "main"], [1, 5], element=evil).write(
            self.folder / "a.pb")
        text = self.run_tool("report", "-o", "-", "--title", evil, path)
        data = re.search(r'<script type="application/json" id="data">(.*?)'
                         r"</script>", text, re.S)[1]
        self.assertNotRegex(data, "[<>&\u2028]")
        self.assertEqual(json.loads(data)["title"], evil)

    def test_what_is_wrong_is_said(self):
        path = self.demo_file()
        self.refused("report", path, message="-o report.html")
        self.refused("report", "-o", "x.html", "--type=wall", path,
                     message='"wall".*samples, cpu')
        self.refused("report", "-o", self.folder / "no/x.html", path,
                     message="no/x.html cannot be written")


@unittest.skipUnless(CHROMIUM, "no chromium (CHROMIUM, PATH)")
class InBrowser(Case):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def open(self, *args):
        out = self.folder / "report.html"
        self.run_tool("report", "-o", out, *args)
        self.browser.open(out)
        self.addCleanup(self.check_nothing_wrong, out)

    def check_nothing_wrong(self, out):
        self.assertEqual(self.browser.errors, [])
        self.assertEqual(set(self.browser.requests), {f"file://{out}"})

    def captures(self):
        """Three of CPU time with 1, 2 and 3 s, and one of waiting."""
        for i in range(3):
            profile = demo(START + 10 * i)
            if i > 0:
                profile.add(["encode", "loop", "main"], [i * 100, i * 1000 * MS],
                            element="x264enc0", thread="enc",
                            attribution="exact")
            profile.write(self.folder / f"{i}.pb.gz")
        wall = Profile((("wall", "nanoseconds"),), time_ns=START * 10**9)
        wall.add(["poll", "main"], [7 * 10**9], element="queue0", thread="src")
        wall.write(self.folder / "wall.pb.gz")
        return self.folder

    def screenshot(self, name):
        if SCREENSHOTS:
            self.browser.screenshot(pathlib.Path(SCREENSHOTS) / f"{name}.png")

    def frames(self, box="chart"):
        """Accessible names of the frames that are drawn."""
        return self.browser.run(
            f"[...document.querySelectorAll('#{box} g.frame')]"
            ".map(g => g.getAttribute('aria-label'))")

    def rows(self):
        return self.browser.run(
            "[...document.querySelectorAll('#rows tr')]"
            ".map(r => [...r.children].map(td => td.textContent))")

    def text(self, selector):
        return self.browser.run(
            f"document.querySelector({json.dumps(selector)}).textContent")

    def place_of(self, name):
        """The middle of the frame of this name."""
        return self.browser.run(
            "(() => { const g = [...document.querySelectorAll('#chart g.frame')"
            f"].find(g => g.getAttribute('name') === {json.dumps(name)});"
            "const b = g.querySelector('rect').getBoundingClientRect();"
            "return [b.left + b.width / 2, b.top + b.height / 2, b.width]; })()")

    def view(self, name):
        self.browser.run(
            f"document.querySelector('[data-view={name}]').click()")

    def search(self, text):
        self.browser.run(
            "(() => { const s = document.querySelector('#search');"
            f"s.value = {json.dumps(text)};"
            "s.dispatchEvent(new Event('input')); })()")

    def test_it_opens_by_element_with_the_right_numbers(self):
        self.open(self.captures())
        self.screenshot("element")
        self.assertEqual(self.rows(), [
            ["x264enc0", "5.40 s", "5.40 s", "90.00 %"],
            ["videoscale0", "450.00 ms", "450.00 ms", "7.50 %"],
            ["(none)", "150.00 ms", "150.00 ms", "2.50 %"]])
        frames = self.frames()
        for frame in ["all: 6.00 s, 100.00 %", "x264enc0: 5.40 s, 90.00 %",
                      "search: 900.00 ms, 15.00 %"]:
            self.assertIn(frame, frames)
        about = self.text("#about")
        self.assertIn("cpu: 6.00 s", about)
        self.assertIn("20.0 % of one core", about)
        self.assertIn("3 files", about)

    def test_views_show_functions_threads_and_callers(self):
        self.open(self.captures())
        self.view("function")
        self.screenshot("function")
        self.assertEqual(self.rows()[0],
                         ["encode", "4.50 s", "5.40 s", "90.00 %"])
        self.assertIn("loop: 5.40 s, 90.00 %", self.frames())
        self.assertNotIn("x264enc0: 5.40 s, 90.00 %", self.frames())
        self.view("thread")
        self.assertEqual([row[0] for row in self.rows()], ["enc", "src"])
        self.view("callers")
        self.screenshot("callers")
        frames = self.frames()
        self.assertEqual(frames[:2], ["all: 6.00 s, 100.00 %",
                                      "encode: 4.50 s, 75.00 %"])

    def test_a_function_is_shown_between_its_callers_and_callees(self):
        self.open(self.captures())
        self.view("callers")
        self.browser.run("[...document.querySelectorAll('#rows button')]"
                         ".find(b => b.textContent === 'encode').click()")
        self.screenshot("sandwich")
        self.assertEqual(self.frames("chart"), [
            "encode: 5.40 s, 90.00 %", "search: 900.00 ms, 15.00 %"])
        self.assertEqual(self.frames("above"), [
            "encode: 5.40 s, 90.00 %", "loop: 5.40 s, 90.00 %",
            "main: 5.40 s, 90.00 %"])
        self.browser.press("Escape")
        self.assertIn("all: 6.00 s, 100.00 %", self.frames())

    def test_search_takes_expressions_and_sums_what_matches(self):
        self.open(self.captures())
        self.search("^(scale|SEARCH)$")
        self.assertEqual(self.text("#found"), "1.35 s, 22.50 %")
        self.screenshot("search")
        self.search("x264")
        self.assertEqual(self.text("#found"), "5.40 s, 90.00 %")
        self.search("(")
        self.assertEqual(self.text("#found"), "not a regular expression")
        self.search("")
        self.assertEqual(self.text("#found"), "")

    def test_a_click_zooms_and_the_pointer_shows_values_and_labels(self):
        self.open(self.captures())
        x, y, width = self.place_of("search")
        self.browser.hover(x, y)
        self.assertRegex(self.text("#details"), "^search 900.00 ms "
                         r"\(15.00 %\), self 900.00 ms\s*element: x264enc0 · "
                         "thread: enc ·")
        self.browser.click(x, y)
        zoomed = self.place_of("search")[2]
        self.assertGreater(zoomed, 5 * width)
        self.assertNotIn("scale: 450.00 ms, 7.50 %", self.frames())
        self.screenshot("zoomed")
        self.browser.run("document.querySelector('#reset').click()")
        self.assertAlmostEqual(self.place_of("search")[2], width, delta=1)

    def test_the_keyboard_is_enough(self):
        self.open(self.captures())
        self.browser.press("2")
        self.assertIn("loop: 5.40 s, 90.00 %", self.frames())
        self.browser.press("1")
        self.browser.run("document.querySelector('#chart').focus()")
        for key in ["ArrowDown", "ArrowRight"]:
            self.browser.press(key)
        self.assertRegex(self.text("#details"), "^videoscale0 450.00 ms")
        self.browser.press("Enter")
        self.assertNotIn("x264enc0: 5.40 s, 90.00 %", self.frames())
        self.browser.press("Escape")
        self.assertIn("x264enc0: 5.40 s, 90.00 %", self.frames())
        self.browser.press("/")
        self.assertEqual(self.browser.run("document.activeElement.id"),
                         "search")

    def test_the_type_can_be_switched(self):
        self.open(self.captures())
        self.assertEqual(self.browser.run(
            "[...document.querySelectorAll('#type option')]"
            ".map(o => o.textContent)"), ["samples", "cpu", "wall"])
        self.browser.run("(() => { const t = document.querySelector('#type');"
                         "t.selectedIndex = 2;"
                         "t.dispatchEvent(new Event('change')); })()")
        self.assertEqual(self.rows(), [["queue0", "7.00 s", "7.00 s",
                                        "100.00 %"]])
        self.browser.run("(() => { const t = document.querySelector('#type');"
                         "t.selectedIndex = 0;"
                         "t.dispatchEvent(new Event('change')); })()")
        self.assertEqual(self.rows()[0], ["x264enc0", "540", "540",
                                          "90.00 %"])

    def test_a_range_of_time_can_be_selected(self):
        self.open(self.captures())
        left, top, width, height = self.browser.run(
            "(() => { const b = document.querySelector('#strip')"
            ".getBoundingClientRect();"
            "return [b.left, b.top, b.width, b.height]; })()")
        self.browser.drag(left + width * 0.5, left + width * 0.95,
                          top + height / 2)
        self.assertIn("cpu: 5.00 s", self.text("#about"))
        self.assertIn("2 of 3 captures", self.text("#range"))
        self.screenshot("range")
        self.browser.run("(() => { const t = document.querySelector('#to');"
                         "t.value = 1;"
                         "t.dispatchEvent(new Event('change')); })()")
        self.assertIn("cpu: 2.00 s", self.text("#about"))

    def test_names_are_text(self):
        evil = "<script>window.harm=1</script><img src=x onerror=harm=1>"
        path = Profile(comments=[f"series.service_name={evil}"]).add(
            [evil, "main"], [1, 5], element=evil, thread=evil).write(
                self.folder / "a.pb")
        self.open("--title", evil, path)
        for view in ["element", "function", "thread", "callers"]:
            self.view(view)
            self.assertIn(evil, [row[0] for row in self.rows()])
            self.browser.hover(*self.place_of(evil)[:2])
        self.assertEqual(self.text("#title"), evil)
        self.assertIsNone(self.browser.run("window.harm"))

    def test_dark_and_narrow_are_readable(self):
        self.open(self.captures())
        self.browser.press("t")
        self.assertIn(self.browser.run(
            "document.documentElement.dataset.theme"), ["dark", "light"])
        self.screenshot("dark")
        self.browser.resize(800, 900)
        self.assertLessEqual(self.browser.run(
            "document.documentElement.scrollWidth"), 800)
        self.browser.resize(1280, 900)

    def test_a_hundred_thousand_stacks_open_in_a_bounded_time(self):
        dice = random.Random(3)
        profile = Profile()
        for i in range(100_000):
            stack = [f"leaf{i % 5000}"]
            for depth in range(14, 0, -1):
                stack.append(f"f{depth}_{i % (2 * depth) * dice.randrange(3)}")
            profile.add(stack + ["main"], [1, 1 + i % 7],
                        element=f"e{i % 12}", thread=f"t{i % 5}")
        path = profile.write(self.folder / "a.pb.gz")
        began = time.monotonic()
        self.open(path)
        print(f"written and opened in {time.monotonic() - began:.1f} s; "
              "scripts: ", self.browser.run(
                  "performance.timing.loadEventEnd "
                  "- performance.timing.responseEnd"), "ms")
        self.assertEqual(len(self.rows()), 12)
        for view in ["function", "thread", "callers", "element"]:
            took = self.browser.run(
                "(() => { const t = performance.now(); document.querySelector("
                f"'[data-view={view}]').click();"
                "return performance.now() - t; })()")
            print(f"{view}: {took:.0f} ms")
            self.assertLess(took, 20_000)
        self.screenshot("many")


if __name__ == "__main__":
    if TOOL is None:
        sys.exit(__doc__)
    unittest.main()
