# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Pyroscope server for tests, and queries to it.

PyroscopeServer uses the real server that PYROSCOPE_URL names, or else starts
the project's test server (ci/pushserver). Standard library only.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, TypeVar

import pprof_reader

T = TypeVar("T")

# Ids of the profile types of CPU time.
CPU = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
SAMPLES = "process_cpu:samples:count:cpu:nanoseconds"

_BUILD = Path(__file__).resolve().parents[4] / "ci" / "pushserver" / "build.sh"
_PUSH = "push.v1.PusherService"
_QUERY = "querier.v1.QuerierService"

# Version 2 of the real server shows a push within this time, in seconds.
_REAL_SERVER_DELAY = 5.0


class PyroscopeError(Exception):
    """The server refused a request. status is HTTP's, code is Connect's."""

    def __init__(self, method: str, status: int, code: str, message: str):
        super().__init__(f"{method}: HTTP status {status}, {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass
class FlameGraph:
    """An answer of select_merge_stacktraces, decoded."""

    total: int
    max_self: int
    stacks: dict[tuple[str, ...], int]  # self value by function names, root first

    def __bool__(self) -> bool:
        return self.total > 0

    def by_function(self) -> dict[str, int]:
        """Self value for each function."""
        totals: dict[str, int] = {}
        for stack, value in self.stacks.items():
            totals[stack[-1]] = totals.get(stack[-1], 0) + value
        return totals


def decode_flame_graph(answer: dict[str, Any]) -> FlameGraph:
    """Decodes the server's levels: four numbers a node, left to right. The
    first is the distance from the right edge of the node before, then come
    total, self value and index of the name. Level 0 is the total alone."""
    names = answer.get("names", [])
    stacks: dict[tuple[str, ...], int] = {}
    below: list[tuple[int, int, tuple[str, ...]]] = []  # left, right, stack
    for depth, level in enumerate(answer.get("levels", [])):
        values = [int(v) for v in level.get("values", [])]
        here = []
        edge = 0
        parent = 0
        for i in range(0, len(values), 4):
            delta, total, self_value, name = values[i : i + 4]
            left = edge + delta
            edge = left + total
            stack: tuple[str, ...] = ()
            if depth > 0:
                while below[parent][1] < edge:
                    parent += 1
                if left < below[parent][0]:
                    raise ValueError(f"node {i // 4} of level {depth} has no parent")
                stack = below[parent][2] + (names[name],)
            if self_value:
                stacks[stack] = stacks.get(stack, 0) + self_value
            here.append((left, edge, stack))
        below = here
    return FlameGraph(
        total=int(answer.get("total", 0)),
        max_self=int(answer.get("maxSelf", 0)),
        stacks=stacks,
    )


class PyroscopeServer:
    """A server to push to and to query; use it as a context manager.

    url: a server that runs already; by default what PYROSCOPE_URL names.
    Where there is none, the test server is started on a free port, with
    args, and stopped at the end. PYROSCOPE_PUSHSERVER names its binary if it
    shall not be built.
    tenant: sent as X-Scope-OrgID with each request.
    window: how many seconds before and after now are queried by default.

    Queries repeat themselves until their result satisfies the argument
    until, by default until there is any, for at most the time-out, and
    return the last result. The time-out is 5 s for a real server, which may
    show a push a little late, and 0 for the test server, which does not;
    who waits for a program to push gives one of his own.
    """

    def __init__(
        self,
        url: str | None = None,
        args: list[str] | None = None,
        tenant: str | None = None,
        window: tuple[float, float] = (3600, 660),
    ):
        self._given = url or os.environ.get("PYROSCOPE_URL") or None
        self._args = args or []
        self._window = window
        self._process: subprocess.Popen[str] | None = None
        self.tenant = tenant
        self.url = (self._given or "").rstrip("/")
        self.timeout = _REAL_SERVER_DELAY if self._given else 0.0
        # A proxy in the environment is not meant for a server on this machine.
        host = urllib.parse.urlsplit(self.url).hostname
        local = host in (None, "localhost", "127.0.0.1", "::1")
        self._http = urllib.request.build_opener(
            *([urllib.request.ProxyHandler({})] if local else [])
        )

    @property
    def kind(self) -> str:
        """Which server this is, for people to read."""
        if self._given:
            return f"the Pyroscope server at {self.url}"
        return "the test server ci/pushserver on Grafana's API module"

    @property
    def is_real(self) -> bool:
        return self._given is not None

    @property
    def pid(self) -> int | None:
        """Process id of a started test server."""
        return self._process.pid if self._process else None

    def __enter__(self) -> PyroscopeServer:
        if not self._given:
            self._start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _start(self) -> None:
        binary = os.environ.get("PYROSCOPE_PUSHSERVER") or built_pushserver()
        # Its stdin is a pipe of ours: it ends when we do, however we end.
        self._process = subprocess.Popen(
            [binary, "-listen", "127.0.0.1:0", "-stdin-close", *self._args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line.startswith("listening on "):
            self.stop()
            raise RuntimeError(f"{binary} did not start: it said {line!r}")
        self.url = line.removeprefix("listening on ")

    def stop(self) -> int | None:
        """Stops a started test server and returns its exit status; does
        nothing to another one."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        return process.returncode

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Waits for GET /ready to answer 200."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                with self._http.open(self.url + "/ready", timeout=5):
                    return
            except OSError as e:  # HTTP errors among them
                if time.monotonic() >= deadline:
                    raise TimeoutError(
                        f"{self.url}/ready: {e}; is it a Pyroscope server?"
                    ) from e
            time.sleep(0.2)

    def push(self, labels: dict[str, str], raw_profile: bytes) -> None:
        """Pushes one pprof profile, gzipped or not."""
        series = {
            "labels": [{"name": k, "value": v} for k, v in labels.items()],
            "samples": [{"rawProfile": base64.b64encode(raw_profile).decode()}],
        }
        self._json(_PUSH, "Push", {"series": [series]})

    def compact(self) -> None:
        """Of several rows of one series with one time, one is kept. A real
        server does that by itself, minutes after a push."""
        if not self.is_real:
            self._post("compact", "text/plain", b"")

    def profile_types(
        self,
        until: Callable[[list[str]], object] = bool,
        timeout: float | None = None,
    ) -> list[str]:
        """Ids of the profile types, sorted."""
        return self._poll(
            lambda: sorted(
                t["ID"] for t in self._query("ProfileTypes", {}).get("profileTypes", [])
            ),
            until,
            timeout,
        )

    def label_names(
        self,
        *selectors: str,
        until: Callable[[list[str]], object] = bool,
        timeout: float | None = None,
    ) -> list[str]:
        """Names of labels, sorted; any of the selectors has to match."""
        ask = {"matchers": selectors}
        return self._poll(
            lambda: sorted(self._query("LabelNames", ask).get("names", [])),
            until,
            timeout,
        )

    def label_values(
        self,
        name: str,
        *selectors: str,
        until: Callable[[list[str]], object] = bool,
        timeout: float | None = None,
    ) -> list[str]:
        """Values of one label, sorted; any of the selectors has to match."""
        ask = {"name": name, "matchers": selectors}
        return self._poll(
            lambda: sorted(self._query("LabelValues", ask).get("names", [])),
            until,
            timeout,
        )

    def series(
        self,
        *selectors: str,
        label_names: list[str] | None = None,
        until: Callable[[list[dict[str, str]]], object] = bool,
        timeout: float | None = None,
    ) -> list[dict[str, str]]:
        """Label sets that any of the selectors matches, one a series; with
        label_names only these labels of each, every set once."""
        ask = {"matchers": selectors, "labelNames": label_names or []}
        return self._poll(
            lambda: [
                {l["name"]: l["value"] for l in s.get("labels", [])}
                for s in self._query("Series", ask).get("labelsSet", [])
            ],
            until,
            timeout,
        )

    def select_merge_stacktraces(
        self,
        profile_type: str,
        selector: str = "{}",
        max_nodes: int = 65536,
        until: Callable[[FlameGraph], object] = bool,
        timeout: float | None = None,
    ) -> FlameGraph:
        """The flame graph of one profile type."""
        ask = {
            "profileTypeID": profile_type,
            "labelSelector": selector,
            "maxNodes": max_nodes,
        }
        return self._poll(
            lambda: decode_flame_graph(
                self._query("SelectMergeStacktraces", ask).get("flamegraph", {})
            ),
            until,
            timeout,
        )

    def select_merge_profile(
        self,
        profile_type: str,
        selector: str = "{}",
        until: Callable[[bytes], object] | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """All profiles of one type merged, as one pprof profile, plain."""

        def has_samples(raw: bytes) -> bool:
            return bool(raw) and bool(pprof_reader.read(raw).samples)

        def ask() -> bytes:
            start, end = self._range()
            # querier.v1.SelectMergeProfileRequest, fields 1 to 4.
            body = (
                _string_field(1, profile_type)
                + _string_field(2, selector)
                + _number_field(3, start)
                + _number_field(4, end)
            )
            method = f"{_QUERY}/SelectMergeProfile"
            return self._post(method, "application/proto", body)

        return self._poll(ask, until or has_samples, timeout)

    def _range(self) -> tuple[int, int]:
        now = time.time()
        before, after = self._window
        return int((now - before) * 1000), int((now + after) * 1000)

    def _query(self, method: str, ask: dict[str, Any]) -> dict[str, Any]:
        start, end = self._range()
        # 64 bit integers are strings in protobuf's JSON.
        return self._json(_QUERY, method, {"start": str(start), "end": str(end), **ask})

    def _json(self, service: str, method: str, ask: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(ask).encode()
        return json.loads(self._post(f"{service}/{method}", "application/json", body))

    def _post(self, method: str, content_type: str, body: bytes) -> bytes:
        request = urllib.request.Request(
            f"{self.url}/{method}", data=body, headers={"Content-Type": content_type}
        )
        if self.tenant:
            request.add_header("X-Scope-OrgID", self.tenant)
        try:
            with self._http.open(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as e:
            with e:
                text = e.read().decode("utf-8", "replace")
            code, message = "", text
            try:
                error = json.loads(text)
                code, message = error.get("code", ""), error.get("message", "")
            except (ValueError, AttributeError):
                pass  # a proxy's own page, say
            raise PyroscopeError(method, e.code, code, message) from None

    def _poll(
        self,
        ask: Callable[[], T],
        until: Callable[[T], object],
        timeout: float | None,
    ) -> T:
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            result = ask()
            if until(result) or time.monotonic() >= deadline:
                return result
            time.sleep(0.1)


def built_pushserver() -> str:
    """Path of the test server's binary, which is built where it is missing.
    google's pprof lies beside it."""
    built = subprocess.run(
        ["sh", str(_BUILD)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    if built.returncode:
        raise RuntimeError(f"{_BUILD} failed with status {built.returncode}")
    return built.stdout.strip()


def google_pprof() -> str:
    """Path of google's pprof, built with the test server."""
    return str(Path(built_pushserver()).with_name("pprof"))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _string_field(number: int, text: str) -> bytes:
    data = text.encode()
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)
