# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the last line of the test run counts."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import summary  # noqa: E402


def meson(tmp_path, *programs):
    log = tmp_path / "testlog.json"
    log.write_text("".join(
        json.dumps({"name": name, "result": result, "returncode": status,
                    "stdout": output, "stderr": "".join(errors)}) + "\n"
        for name, result, status, output, *errors in programs))
    return summary.from_runner("programs", summary.from_meson, log)


def go(tmp_path, *events):
    log = tmp_path / "go.json"
    log.write_text("".join(
        json.dumps(dict(zip(("Action", "Package", "Test"), event))) + "\n"
        for event in events))
    return summary.from_runner("server", summary.from_go, log)


def test_a_tap_program_counts_with_each_of_its_tests(tmp_path):
    counts = meson(tmp_path, ("a", "FAIL", 1, "TAP version 13\n1..4\nok 1 /x\n"
                              "not ok 2 /y\nok 3 /z # SKIP no server\n"
                              "not ok 4 /w # TODO\n"))
    assert str(counts) == "2 passed, 1 failed, 1 skipped"
    assert counts.failures == ["a: /y"]


def test_a_program_without_tap_counts_as_one(tmp_path):
    counts = meson(tmp_path, ("a", "OK", 0, "ok then\n"), ("b", "SKIP", 77, ""),
                   ("c", "TIMEOUT", -15, ""), ("d", "FAIL", 1, None))
    assert str(counts) == "1 passed, 2 failed, 1 skipped"


def test_a_unittest_program_counts_with_each_of_its_tests(tmp_path):
    counts = meson(
        tmp_path,
        ("a", "OK", 0, "", "..s\nRan 3 tests in 0.1s\n\nOK (skipped=1)\n"),
        ("b", "FAIL", 1, "", "x\nRan 4 tests in 0.1s\n\n"
         "FAILED (failures=1, errors=1)\n"),
        ("c", "OK", 0, "", "Ran 1 test in 0.1s\n\nOK\n"))
    assert str(counts) == "5 passed, 2 failed, 1 skipped"


def test_a_crash_after_passing_tests_is_a_failure(tmp_path):
    counts = meson(tmp_path, ("a", "ERROR", -11, "1..3\nok 1 /x\nok 2 /y\n"))
    assert str(counts) == "2 passed, 1 failed, 0 skipped"
    assert counts.failures == ["a: error, status -11"]


@pytest.mark.parametrize("content", [None, "", "{", '{"name": "a"}\n'])
def test_a_runner_without_a_readable_result_failed(tmp_path, content):
    log = tmp_path / "log"
    if content is not None:
        log.write_text(content)
    for read in summary.from_meson, summary.from_pytest:
        counts = summary.from_runner("r", read, log)
        assert not counts.ok
        assert len(counts.failures) == 1


def test_go_counts_subtests_and_not_their_parent(tmp_path):
    counts = go(tmp_path, ("pass", "p", "T/a"), ("skip", "p", "T/b"),
                ("pass", "p", "T"), ("pass", "p", "U"), ("pass", "p"))
    assert str(counts) == "2 passed, 0 failed, 1 skipped"


def test_go_counts_one_failure_where_it_happened(tmp_path):
    counts = go(tmp_path, ("fail", "p", "T/a"), ("fail", "p", "T"),
                ("fail", "p"))
    assert counts.failures == ["p: T/a"]


def test_a_go_package_that_does_not_build_failed(tmp_path):
    assert go(tmp_path, ("fail", "p")).failures == ["p: fail"]


def test_a_pytest_error_outside_a_test_failed(tmp_path):
    log = tmp_path / "junit.xml"
    log.write_text('<testsuites><testsuite>'
                   '<testcase classname="m" name="a"/>'
                   '<testcase classname="m" name="b"><skipped/></testcase>'
                   '<testcase classname="" name="m"><error/></testcase>'
                   '<testcase classname="m" name="c"><failure/><error/>'
                   '</testcase></testsuite></testsuites>')
    counts = summary.from_runner("r", summary.from_pytest, log)
    assert str(counts) == "1 passed, 2 failed, 1 skipped"


def test_nothing_run_is_not_well(tmp_path):
    assert not summary.Counts().ok
    assert not summary.Counts(skipped=3).ok
    assert summary.Counts(passed=1).ok
