# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts tests from what the runners write for machines.

A runner that left no readable result counts as one failed test: nothing that
did not run may look like a success.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field


@dataclass
class Counts:
    passed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)  # a name each

    def add(self, other):
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures

    @property
    def ok(self):
        return self.passed > 0 and not self.failures

    def __str__(self):
        return (f"{self.passed} passed, {len(self.failures)} failed, "
                f"{self.skipped} skipped")


def from_runner(name, read, path):
    """READ's counts of the file at PATH, which runner NAME should have left."""
    try:
        counts = read(path)
    except (OSError, ValueError, KeyError, ElementTree.ParseError) as error:
        return Counts(failures=[f"{name}: left no readable result: {error}"])
    if counts.passed + counts.skipped == 0 and not counts.failures:
        counts.failures.append(f"{name}: ran no test")
    return counts


TAP_PLAN = re.compile(r"^1\.\.\d+", re.MULTILINE)
TAP_RESULT = re.compile(r"^(not )?ok\b[ \t]*\d*[ \t]*-?[ \t]*(.*)$",
                        re.MULTILINE)
TAP_SKIP = re.compile(r"#\s*skip", re.IGNORECASE)
TAP_TODO = re.compile(r"#\s*todo", re.IGNORECASE)


def _from_tap(name, text):
    counts = Counts()
    for negative, description in TAP_RESULT.findall(text):
        if TAP_SKIP.search(description):
            counts.skipped += 1
        elif not negative or TAP_TODO.search(description):
            counts.passed += 1
        else:
            counts.failures.append(f"{name}: {description}")
    return counts


UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED)(?: \((.*)\))?",
                      re.MULTILINE)


def _from_unittest(name, ran, remarks):
    remark = dict(re.findall(r"([a-z][a-z ]*)=(\d+)", remarks))
    failed = sum(int(remark.get(kind, 0)) for kind in
                 ("failures", "errors", "unexpected successes"))
    skipped = int(remark.get("skipped", 0))
    return Counts(max(int(ran) - failed - skipped, 0), skipped,
                  [f"{name}: see its output"] * failed)


GOOD_RESULTS = "OK", "EXPECTEDFAIL", "SKIP"


def failed_in_meson(path):
    """The names of the programs that failed; [] where the log is no log."""
    try:
        with open(path, encoding="utf-8") as lines:
            tests = [json.loads(line) for line in lines]
        return [test["name"] for test in tests
                if test["result"] not in GOOD_RESULTS]
    except (OSError, ValueError, KeyError):
        return []


def from_meson(path, leave_out=()):
    """meson's testlog.json: a line of JSON per test program, but those named
    in LEAVE_OUT.

    A program that speaks TAP (GLib's do, and gstcheck's when
    CK_TAP_LOG_FILE_NAME asks for it), or is one of Python's unittest, counts
    with each of its tests, any other counts as one. A program that ended badly without saying which test it was
    in counts as one failure more.
    """
    total = Counts()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            name, result = test["name"], test["result"]
            if name in leave_out:
                continue
            counts = Counts()
            output = test.get("stdout") or ""
            if TAP_PLAN.search(output):
                counts = _from_tap(name, output)
            else:
                said = UNITTEST.search(test.get("stderr") or "")
                if said:
                    counts = _from_unittest(name, *said.groups(default=""))
            if result in ("OK", "EXPECTEDFAIL"):
                if counts.passed + counts.skipped == 0:
                    counts.passed = 1
            elif result == "SKIP":
                if counts.skipped == 0:
                    counts.skipped = 1
            elif not counts.failures:
                counts.failures.append(
                    f"{name}: {result.lower()}, status {test['returncode']}")
            total.add(counts)
    return total


def from_go(path):
    """`go test -json`: an event a line. A test with subtests is not counted
    beside them, unless it failed and none of them did."""
    results = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event["Action"] in ("pass", "fail", "skip", "build-fail"):
                package = event.get("Package") or event.get("ImportPath")
                results[package, event.get("Test", "")] = event["Action"]
    counts = Counts()
    for (package, test), action in results.items():
        below = [a for (p, t), a in results.items() if p == package
                 and (t.startswith(test + "/") if test else t)]
        if action in ("fail", "build-fail"):
            if "fail" not in below:
                counts.failures.append(f"{package}: {test or action}")
        elif test and not below:
            counts.passed += action == "pass"
            counts.skipped += action == "skip"
    return counts


def from_pytest(path):
    """pytest's --junitxml."""
    counts = Counts()
    for case in ElementTree.parse(path).iter("testcase"):
        # One case may fail and then fail to tear down: one failure.
        if case.find("failure") is not None or case.find("error") is not None:
            counts.failures.append(f"{case.get('classname')}: "
                                   f"{case.get('name')}")
        elif case.find("skipped") is not None:
            counts.skipped += 1
        else:
            counts.passed += 1
    return counts
