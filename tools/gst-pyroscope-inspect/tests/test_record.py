#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-pyroscope-inspect record with programs, scripts and a terminal.

Usage: test_record.py TOOL [unittest arguments]
The plugin is found in the build that the tool belongs to.
"""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True

TOOL = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
BUSY = ("videotestsrc num-buffers={} ! "
        "video/x-raw,format=I420,width=640,height=360 ! videoconvert ! video/x-raw,format=RGB ! fakesink")


def pipeline(buffers=200):
    return ["gst-launch-1.0", "-q", *BUSY.format(buffers).split()]


def state_of(pid):
    """As in ps: T is stopped."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("GST_TRACERS", "GST_DEBUG", "PYROSCOPE_",
                                    "GST_PYROSCOPE_"))}
        self.environment["GST_REGISTRY"] = str(self.folder / "registry.bin")

    def start(self, *arguments, env=None, **how):
        return subprocess.Popen(
            [TOOL, "record", *map(str, arguments)], cwd=self.folder,
            env={**self.environment, **(env or {})}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **how)

    def record(self, *arguments, status=0, env=None):
        process = self.start(*arguments, env=env, stdin=subprocess.DEVNULL)
        self.out, self.err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, status, self.out + self.err)

    def captures(self, folder="out"):
        return sorted((self.folder / folder).glob("*.pb.gz"))

    def processes(self, folder="out"):
        """Those that left captures: a process has one, or a few."""
        return {path.name.split("-")[-2] for path in self.captures(folder)}

    def inspect(self, *arguments):
        return subprocess.run([TOOL, *map(str, arguments)], check=True,
                              capture_output=True, text=True).stdout


class Runs(Case):
    def test_a_pipeline_is_recorded_and_its_elements_are_listed(self):
        self.record("-o", "out", "--rate", 1000, "--", *pipeline(400))
        self.assertEqual(len(self.processes()), 1)
        self.assertRegex(self.err, r"(?m)^ .* videoconvert0$")
        self.assertIn(str(self.folder / "out"), self.err)
        self.assertEqual(self.out, "")

    def test_the_folder_has_the_commands_name_where_none_is_given(self):
        self.record(*pipeline(50))
        folder, = self.folder.glob("gst-launch-1.0-*.pyroscope")
        self.assertEqual(len(self.processes(folder.name)), 1)

    def test_a_report_is_beside_the_captures_and_can_be_opened(self):
        opener = self.folder / "bin" / "xdg-open"
        opener.parent.mkdir()
        opener.write_text(f'#!/bin/sh\necho "$1" >{self.folder}/opened\n')
        opener.chmod(0o755)
        path = f"{opener.parent}:{self.environment['PATH']}"
        self.record("-o", "out", "--open", "--", *pipeline(50),
                    env={"PATH": path})
        report = self.folder / "out" / "report.html"
        if "there is no report" in self.err:
            self.skipTest("built without the report")
        self.assertIn(f"flame graphs: {report}\n", self.err)
        self.assertIn("videotestsrc", report.read_text()[-200_000:])
        for _ in range(100):
            if (self.folder / "opened").exists():
                break
            time.sleep(0.1)
        self.assertEqual((self.folder / "opened").read_text().strip(),
                         str(report))

    def test_the_rate_is_the_one_that_is_asked_for(self):
        self.record("-o", "out", "--rate", 700, "--", *pipeline(50))
        self.assertIn("sampler.rate=700",
                      self.inspect("dump", *self.captures()))

    def test_only_new_captures_count(self):
        self.record("-o", "out", "--", "gst-launch-1.0", "-q", "fakesrc",
                    "num-buffers=300000", "!", "fakesink", "name=first")
        self.record("-o", "out", "--", "gst-launch-1.0", "-q", "fakesrc",
                    "num-buffers=300000", "!", "fakesink", "name=second")
        self.assertEqual(len(self.processes()), 2)
        self.assertRegex(self.err, r"(?m)^cpu: .*, \d+ files?$")
        self.assertNotIn(" first", self.err)

    def test_output_and_status_are_the_commands(self):
        self.record("-o", "out", "--", "sh", "-c",
                    "echo data; " + " ".join(pipeline(50)).replace("!", "'!'")
                    + "; exit 7", status=7)
        self.assertEqual(self.out, "data\n")
        self.assertEqual(len(self.processes()), 1)

    def test_a_command_that_forks_has_a_capture_for_each_process(self):
        one = " ".join(pipeline(150)).replace("!", "'!'")
        self.record("-o", "out", "--", "sh", "-c", f"{one} & {one}; wait")
        self.assertEqual(len(self.processes()), 2)

    def test_a_python_application_is_recorded(self):
        python = "/usr/bin/python3"
        if subprocess.run([python, "-c", "import gi"], check=False,
                          capture_output=True).returncode != 0:
            self.skipTest("no python3-gi")
        (self.folder / "app.py").write_text(
            "import gi\n"
            "gi.require_version('Gst', '1.0')\n"
            "from gi.repository import Gst\n"
            "Gst.init(None)\n"
            f"pipeline = Gst.parse_launch('{BUSY.format(400)}')\n"
            "pipeline.set_state(Gst.State.PLAYING)\n"
            "pipeline.get_bus().timed_pop_filtered(\n"
            "    Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS)\n"
            "pipeline.set_state(Gst.State.NULL)\n")
        self.record("-o", "out", "--rate", 1000, python, "app.py")
        self.assertEqual(len(self.processes()), 1)
        self.assertIn("videoconvert0", self.err)


class Environment(Case):
    def printed(self, *options, **env):
        self.record("-o", "out", *options, "env", status=1, env=env)
        return dict(line.split("=", 1) for line in self.out.splitlines()
                    if "=" in line)

    def test_other_tracers_stay(self):
        found = self.printed(GST_TRACERS="leaks(check-refs=true);stats")
        self.assertEqual(found["GST_TRACERS"],
                         "leaks(check-refs=true);stats;pyroscope")

    def test_a_pyroscope_tracer_that_is_there_is_replaced_and_named(self):
        found = self.printed(GST_TRACERS="pyroscope(sample-rate=5);stats")
        self.assertEqual(found["GST_TRACERS"], "stats;pyroscope")
        self.assertIn('"pyroscope(sample-rate=5)"', self.err)

    def test_a_tracer_of_a_longer_name_is_not_ours(self):
        found = self.printed(GST_TRACERS="pyroscopes")
        self.assertEqual(found["GST_TRACERS"], "pyroscopes;pyroscope")

    def test_nothing_is_pushed_unless_a_server_is_named(self):
        self.assertEqual(self.printed()["GST_PYROSCOPE_SERVER_URL"], "")
        url = "http://localhost:1"
        self.assertEqual(
            self.printed(GST_PYROSCOPE_SERVER_URL=url)
            ["GST_PYROSCOPE_SERVER_URL"], url)
        self.assertNotIn(
            "GST_PYROSCOPE_SERVER_URL",
            self.printed(PYROSCOPE_SERVER_ADDRESS=url))

    def test_the_plugins_of_the_user_stay(self):
        name = ("GST_PLUGIN_PATH_1_0"
                if "GST_PLUGIN_PATH_1_0" in self.environment
                else "GST_PLUGIN_PATH")
        found = self.printed(**{name: "/mine:/yours"})
        self.assertRegex(found[name], r"^/.*[^:]:/mine:/yours$")

    def test_the_folder_is_absolute(self):
        self.assertEqual(self.printed()["GST_PYROSCOPE_OUTPUT_DIR"],
                         str(self.folder / "out"))

    def test_a_tool_without_its_plugin_says_where_it_looked(self):
        tool = self.folder / "bin" / "gst-pyroscope-inspect"
        tool.parent.mkdir()
        shutil.copy(TOOL, tool)
        result = subprocess.run(
            [tool, "record", "true"], capture_output=True, text=True,
            check=False,
            env={**self.environment, "GST_PLUGIN_PATH": "/no/plugins",
                 "GST_PLUGIN_SYSTEM_PATH_1_0": "/none/either",
                 "GST_PLUGIN_PATH_1_0": "/no/plugins"})
        self.assertEqual(result.returncode, 1)
        for part in (str(tool.parent), "/no/plugins", "/none/either",
                     "GST_PLUGIN_PATH"):
            self.assertIn(part, result.stderr)

    def test_an_installed_tool_finds_the_plugin_by_its_variable(self):
        plugin = pathlib.Path(TOOL).parents[2] / "tracer" / "pyroscope"
        tool = self.folder / "bin" / "gst-pyroscope-inspect"
        tool.parent.mkdir()
        shutil.copy(TOOL, tool)
        others = self.environment.get("GST_PLUGIN_PATH", "")
        result = subprocess.run(
            [tool, "record", "-o", "out", *pipeline(50)], cwd=self.folder,
            capture_output=True, text=True, check=False,
            env={**self.environment, "GST_PLUGIN_PATH": f"{plugin}:{others}"})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(self.processes()), 1)


class Ends(Case):
    def test_what_is_not_found_is_127_and_what_cannot_be_run_126(self):
        self.record("-o", "out", "no-such-command", status=127)
        self.assertRegex(self.err, '"no-such-command" cannot be run: No such')
        self.record("-o", "out", "/etc/passwd", status=126)
        self.assertRegex(self.err, '"/etc/passwd" cannot be run: Permission')
        self.assertFalse((self.folder / "out").exists())

    def test_a_command_that_a_signal_ends_has_the_shells_status(self):
        self.record("-o", "out", "sh", "-c", "kill -TERM $$", status=143)
        self.assertRegex(self.err, r"signal 15 \(Terminated\)")

    def test_a_command_without_a_pipeline_says_that_nothing_was_recorded(self):
        self.record("-o", "out", "true", status=1)
        self.assertIn("nothing was recorded", self.err)
        self.assertFalse((self.folder / "out").exists())
        self.record("-o", "out", "false", status=1)

    def test_bad_options_are_named(self):
        for arguments, message in (
                (["--rate", "0x", "true"], "0x"),
                (["--rate", "-1", "true"], "--rate -1 is not between"),
                (["--rate", "1001", "true"], "--rate 1001 is not between"),
                ([], "no command is given"),
                (["--"], "no command is given"),
                ([""], "no command is given"),
                (["-o", "/proc/none", "true"], "/proc/none")):
            self.record(*arguments, status=1)
            self.assertIn(message, self.err)
            self.assertEqual(self.err.count("\n"), 1, self.err)

    def ready(self, process):
        """Waits until the command is there, and has said so."""
        self.assertEqual(process.stdout.readline(), "ready\n")

    def test_a_signal_to_record_is_the_commands(self):
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                      signal.SIGUSR1):
            name = signo.name[3:]
            process = self.start(
                "-o", "out", "sh", "-c",
                f"trap 'echo got {name}; exit 9' {name}; echo ready; "
                "while :; do sleep 0.05; done", stdin=subprocess.DEVNULL)
            self.ready(process)
            process.send_signal(signo)
            out, _ = process.communicate(timeout=30)
            self.assertEqual((process.returncode, out), (9, f"got {name}\n"))

    def test_a_signal_that_comes_twice_at_once_is_one(self):
        # As timeout(1) does: to its child, and to the group of both.
        process = self.start(
            "-o", "out", "sh", "-c",
            "trap 'echo got' INT; echo ready; "
            "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done",
            stdin=subprocess.DEVNULL, start_new_session=True)
        self.ready(process)
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        self.assertEqual(out, "got\n")

    def test_an_interrupted_pipeline_is_recorded(self):
        process = self.start(
            "-o", "out", "gst-launch-1.0", "-e", "videotestsrc", "!",
            "videoconvert", "!", "video/x-raw,format=RGB", "!", "fakesink",
            stdin=subprocess.DEVNULL)
        while "New clock" not in process.stdout.readline():
            pass
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("Got EOS", out)
        self.assertEqual(len(self.processes()), 1)


class Terminal(Case):
    """Through a pseudo-terminal, as from a shell."""

    def open(self, *arguments):
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(TOOL, [TOOL, "record", *arguments], {
                **self.environment, "TERM": "xterm", "PS1": ""})
        self.addCleanup(os.close, self.terminal)
        self.text = ""
        return pid

    def read(self, until=None, seconds=60):
        """What is printed, until UNTIL, or to the end."""
        end = time.monotonic() + seconds
        while until is None or not re.search(until, self.text):
            self.assertLess(time.monotonic(), end, self.text)
            if not select.select([self.terminal], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                data = b""
            if not data:
                self.assertIsNone(until, self.text)
                break
            self.text += data.decode()

    def test_ctrl_c_is_the_commands_alone(self):
        pid = self.open("-o", "out", "sh", "-c",
                        "trap 'echo got; exit 4' INT; echo ready; "
                        "while :; do sleep 0.05; done")
        self.read("ready")
        os.write(self.terminal, b"\x03")
        self.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.assertEqual((status, self.text.count("got")), (4, 1), self.text)

    def test_the_command_reads_from_the_terminal(self):
        pid = self.open("-o", "out", "sh", "-c",
                        "read line; echo \"<$line>\"; exit 6")
        os.write(self.terminal, b"hello\n")
        self.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.assertIn("<hello>", self.text)
        self.assertEqual(status, 6)

    def test_progress_is_one_line_that_is_taken_away(self):
        pid = self.open("-o", "out", "sleep", "1.5")
        self.read()
        os.waitpid(pid, 0)
        self.assertRegex(self.text, r"\r\x1b\[Krecording 0:01  CPU ")
        self.assertRegex(self.text, r"\r\x1b\[Kgst-pyroscope-inspect: nothing")

    def test_ctrl_z_stops_both_and_both_go_on(self):
        pid = self.open("-o", "out", "sh", "-c",
                        "echo ready; read line; echo \"<$line>\"; exit 5")
        self.read("ready")
        os.write(self.terminal, b"\x1a")
        self.assertTrue(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]))
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.2)
        os.write(self.terminal, b"again\n")
        self.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.assertIn("<again>", self.text)
        self.assertEqual(status, 5)

    def test_a_command_that_others_stop_is_waited_for(self):
        pid = self.open("-o", "out", "sh", "-c",
                        "trap 'echo got; exit 3' TERM; echo \"pid $$ ready\"; "
                        "while :; do sleep 0.05; done")
        self.read("ready")
        command = int(re.search(r"pid (\d+)", self.text)[1])
        os.kill(command, signal.SIGSTOP)
        while state_of(command) != "T":
            time.sleep(0.01)
        # It has seen that, and goes on waiting.
        time.sleep(0.3)
        self.assertEqual(os.waitpid(pid, os.WUNTRACED | os.WNOHANG)[0], 0)
        os.kill(command, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
        self.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.assertEqual((status, self.text.count("got")), (3, 1), self.text)


if __name__ == "__main__":
    unittest.main()
