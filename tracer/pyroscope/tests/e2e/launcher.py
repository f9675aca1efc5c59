# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs programs under the tracer, the real gst-launch-1.0 above all.

The environment says what is tested: GST_PLUGIN_PATH names the plugin's folder
and GST_PYROSCOPE_INSPECT the tool, both by default what `just test` builds;
gst-launch-1.0 and gst-inspect-1.0 come from PATH.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from captures import Captures

_BUILT = Path(__file__).resolve().parents[4] / "target" / "debug"

INSPECT = os.environ.get("GST_PYROSCOPE_INSPECT", str(_BUILT / "gst-pyroscope-inspect"))

# What would change a test's outcome.
_NOT_INHERITED = ("GST_PYROSCOPE_", "PYROSCOPE_", "GST_TRACERS", "GST_DEBUG")


def environment(**extra: str) -> dict[str, str]:
    """A clean environment for a program."""
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(_NOT_INHERITED) and not k.lower().endswith("_proxy")
    }
    env.setdefault("GST_PLUGIN_PATH", str(_BUILT))
    env.update(LC_ALL="C.UTF-8", GST_DEBUG_NO_COLOR="1", **extra)
    env.pop("LANGUAGE", None)
    return env


def tracer(**settings: object) -> str:
    """GST_TRACERS for settings, with _ for each - in their names."""
    return "pyroscope({})".format(
        ",".join(f'{k.replace("_", "-")}="{v}"' for k, v in settings.items())
    )


@dataclass
class Run:
    """A program that has ended."""

    status: int  # as subprocess gives it: negative for a signal
    stdout: str
    stderr: str
    seconds: float  # wall time
    usage: resource.struct_rusage
    captures: Captures

    @property
    def cpu_ns(self) -> int:
        """CPU time of the whole process."""
        return round((self.usage.ru_utime + self.usage.ru_stime) * 1e9)

    @property
    def messages(self) -> list[str]:
        """What the tracer told the user."""
        prefix = "gst-pyroscope: "
        return [m for m in self.stderr.splitlines() if m.startswith(prefix)]

    def log_line(self, text: str) -> str:
        """The one line of the log that has a text."""
        lines = [line for line in self.stderr.splitlines() if text in line]
        assert len(lines) == 1, f"{len(lines)} lines with {text!r} in {self.stderr}"
        return lines[0]


class Running:
    """A program that runs. Its output goes to files, so it never waits."""

    def __init__(self, command: list[str], env: dict[str, str], folder: Path):
        self._folder = folder
        self._started = time.monotonic()
        with (
            open(folder / "stdout", "wb") as stdout,
            open(folder / "stderr", "wb") as stderr,
        ):
            # As in a terminal, but that no Ctrl-C of pytest's reaches it.
            self._process = subprocess.Popen(
                command,
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> str:
        return (self._folder / "stdout").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return (self._folder / "stderr").read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def until(self, condition, what: str, timeout: float = 30) -> None:
        """Waits until CONDITION() is true, while the program runs."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
            assert not self._ended(), f"the program ended before {what}: {self.stderr}"
            time.sleep(0.02)

    def _ended(self) -> bool:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None

    def wait(self, captures: Path, timeout: float = 90) -> Run:
        deadline = time.monotonic() + timeout
        while not self._ended():
            if time.monotonic() >= deadline:
                self.kill()
                raise AssertionError(f"runs for {timeout} s: {self.stderr}")
            time.sleep(0.005)
        seconds = time.monotonic() - self._started
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return Run(
            self._process.returncode,
            self.stdout,
            self.stderr,
            seconds,
            usage,
            Captures(captures),
        )

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()


class Launcher:
    """Runs pipelines, each in a folder of its own below FOLDER."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._running: list[Running] = []
        # Where captures go by default.
        self.captures = folder / "captures"

    def start(
        self,
        pipeline: str,
        tracers: str | None = None,
        env: dict[str, str] | None = None,
        command: tuple[str, ...] = ("gst-launch-1.0",),
        **settings: object,
    ) -> Running:
        """Starts COMMAND with PIPELINE's words as its arguments. The settings
        are the tracer's; unless told otherwise it writes captures and pushes
        nothing. With TRACERS, only what that says counts; "" is no tracer."""
        if tracers is None:
            settings = {"server_url": "", "output_dir": self.captures, **settings}
            tracers = tracer(**{k: v for k, v in settings.items() if v is not None})
        extra = dict(env or {})
        if tracers:
            extra["GST_TRACERS"] = tracers
        folder = self._folder / f"run-{len(self._running)}"
        folder.mkdir()
        words = pipeline.split()
        running = Running([*command, *words], environment(**extra), folder)
        self._running.append(running)
        return running

    def run(self, pipeline: str, timeout: float = 90, **arguments) -> Run:
        return self.start(pipeline, **arguments).wait(self.captures, timeout)

    def stop(self) -> None:
        for running in self._running:
            running.kill()


def inspect(*arguments: object) -> dict:
    """What gst-pyroscope-inspect answers, as JSON."""
    done = subprocess.run(
        [INSPECT, *map(str, arguments), "--format", "json"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def inspect_rows(what: str, captures: Path, *arguments: object) -> dict[str, int]:
    """Flat values of `top --by WHAT`, all of them."""
    answer = inspect("top", "--by", what, "-n", 0, *arguments, captures)
    return {row["name"]: row["flat"] for row in answer["rows"]}
