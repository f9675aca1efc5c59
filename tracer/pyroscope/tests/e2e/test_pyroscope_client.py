# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests' own Pyroscope client, and the test server as a client without
Grafana's generated code sees it. With PYROSCOPE_URL: that server."""

import gzip
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

import pprof_reader
from pprof_writer import Writer
from pyroscope_client import (
    CPU,
    SAMPLES,
    FlameGraph,
    PyroscopeError,
    PyroscopeServer,
    decode_flame_graph,
    google_pprof,
)

TYPES = [("samples", "count"), ("cpu", "nanoseconds")]


def profile():
    w = Writer(TYPES)
    w.add(["main", "chain", "encode"], [3, 30_000_000_001], {"element": "enc"})
    w.add(["main", "chain"], [1, 11], {"element": "enc"})
    w.add(["main", "chain", "scale"], [2, 20], {"element": "scale"})
    w.add(["main", "idle"], [1, 10])
    return w


def push(server, service, raw=None):
    labels = {"__name__": "process_cpu", "service_name": service, "os": "linux"}
    server.push(labels, gzip.compress(profile().encode()) if raw is None else raw)


def test_pushed_profile_is_queried_back_to_the_nanosecond(server, service):
    pushed = pprof_reader.read(profile().encode())
    push(server, service)
    push(server, service)
    selector = f'{{service_name="{service}"}}'
    total = 2 * pushed.total("cpu")

    graph = server.select_merge_stacktraces(
        CPU, selector, until=lambda g: g.total == total
    )
    assert graph.total == total
    assert graph.stacks == {k: 2 * v for k, v in pushed.by_stack("cpu").items()}
    assert graph.max_self == 60_000_000_002

    merged = pprof_reader.read(server.select_merge_profile(CPU, selector))
    assert merged.by_stack("cpu") == graph.stacks
    assert merged.sample_types == [("cpu", "nanoseconds")]

    for element, value in pushed.by_label("element", "samples").items():
        one = f'{{service_name="{service}", element="{element}"}}'
        assert server.select_merge_stacktraces(SAMPLES, one).total == 2 * value

    assert graph.by_function()["encode"] == 60_000_000_002


def test_labels_and_series(server, service):
    push(server, service)
    selector = f'{{service_name="{service}"}}'
    assert service in server.label_values("service_name", until=lambda v: service in v)
    assert server.label_values("element", selector) == ["enc", "scale"]
    assert {"element", "os", "service_name"} <= set(server.label_names(selector))
    assert {CPU, SAMPLES} <= set(server.profile_types())
    sets = server.series(selector, label_names=["element", "os"])
    assert sorted(s.get("element", "") for s in sets) == ["", "enc", "scale"]
    assert all(s["os"] == "linux" for s in sets)
    types = server.series(selector, label_names=["__profile_type__"])
    assert {s["__profile_type__"] for s in types} == {CPU, SAMPLES}


def test_nothing_is_found_where_nothing_is(server):
    selector = '{service_name="no such service"}'
    assert server.series(selector, timeout=0) == []
    graph = server.select_merge_stacktraces(CPU, selector, timeout=0)
    assert not graph and graph.stacks == {}


@pytest.mark.parametrize(
    "labels, raw",
    [
        ({"__name__": "process_cpu", "service_name": "x"}, b"no profile"),
        ({"service_name": "x"}, None),
    ],
)
def test_what_the_server_refuses_is_an_error(server, labels, raw):
    with pytest.raises(PyroscopeError) as e:
        server.push(labels, profile().encode() if raw is None else raw)
    assert e.value.status == 400
    assert e.value.code == "invalid_argument"
    assert e.value.message in str(e.value)


def test_an_invalid_query_is_an_error(server):
    with pytest.raises(PyroscopeError) as e:
        server.select_merge_stacktraces(CPU, "{no selector")
    assert e.value.status == 400


def test_tenants(own_server):
    s = own_server("-tenants")
    with pytest.raises(PyroscopeError) as e:
        push(s, "x")
    assert (e.value.status, e.value.code) == (401, "unauthenticated")
    s.tenant = "a"
    push(s, "x")
    assert s.label_values("service_name") == ["x"]
    s.tenant = "b"
    assert s.label_values("service_name") == []


def test_the_server_records_pushes(own_server, tmp_path):
    s = own_server("-record", str(tmp_path))
    raw = gzip.compress(profile().encode())
    push(s, "x", raw)
    about = json.loads((tmp_path / "000001.json").read_text())
    assert about["accepted"]
    assert {"name": "os", "value": "linux"} in about["labels"]
    assert (tmp_path / about["file"]).read_bytes() == raw


def test_a_path_before_the_api(own_server):
    s = own_server("-base-path", "/some/where")
    assert s.url.endswith("/some/where")
    push(s, "x")
    assert s.label_values("service_name") == ["x"]


def test_googles_pprof_reads_what_is_merged(own_server, tmp_path):
    s = own_server()
    push(s, "x")
    merged = tmp_path / "merged.pb"
    merged.write_bytes(s.select_merge_profile(CPU))
    top = subprocess.run(
        [google_pprof(), "-top", "-unit=ns", str(merged)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PPROF_TMPDIR": str(tmp_path)},
    ).stdout
    assert "Type: cpu" in top
    lines = [line.split() for line in top.splitlines()]
    assert ["30000000001ns", "encode"] in [[x[0], x[-1]] for x in lines if x]


def test_stopping_the_server_is_no_failure(own_server):
    s = own_server()
    assert s.stop() == 0
    assert s.stop() is None


def test_the_server_ends_with_the_with_block():
    s = PyroscopeServer()
    if s.is_real:
        pytest.skip("needs the test server")
    with s:
        pid, url = s.pid, s.url
        assert "test server" in s.kind
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(OSError):
        urllib.request.urlopen(url + "/ready", timeout=5)


def test_the_server_ends_when_its_user_is_killed():
    if PyroscopeServer().is_real:
        pytest.skip("needs the test server")
    script = (
        "import sys, time\n"
        "from pyroscope_client import PyroscopeServer\n"
        "s = PyroscopeServer().__enter__()\n"
        "print(s.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(user.stdout.readline())
    user.kill()
    user.wait()
    user.stdout.close()
    deadline = time.monotonic() + 10
    while running(pid):
        assert time.monotonic() < deadline, "the server still runs"
        time.sleep(0.05)


def running(pid):
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_flame_graph_levels():
    graph = decode_flame_graph(
        {
            "names": ["total", "a", "c", "b", "d"],
            "levels": [
                {"values": ["0", "44", "0", "0"]},
                {"values": ["0", "35", "5", "1", "0", "9", "0", "3"]},
                {"values": [5, 30, 30, 2, 0, 7, 7, 1, 0, 2, 2, 4]},
            ],
            "total": "44",
            "maxSelf": "30",
        }
    )
    assert graph == FlameGraph(
        44, 30, {("a",): 5, ("a", "c"): 30, ("b", "a"): 7, ("b", "d"): 2}
    )
    assert graph.by_function() == {"a": 12, "c": 30, "d": 2}
    assert decode_flame_graph({}) == FlameGraph(0, 0, {})


class LateServer(http.server.BaseHTTPRequestHandler):
    """Shows what was pushed from the third query on, as a server of version 2
    may; answers what is unknown with a proxy's page."""

    queries = 0
    early = {"LabelValues": b"{}", "SelectMergeProfile": b""}
    late = {
        "LabelValues": b'{"names":["x"]}',
        "SelectMergeProfile": profile().encode(),
    }

    def do_GET(self):
        self.answer(200, b"ready")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        method = self.path.removeprefix("/querier.v1.QuerierService/")
        if method not in self.late:
            return self.answer(502, b"<html>bad gateway</html>")
        type(self).queries += 1
        answers = self.late if self.queries >= 3 else self.early
        return self.answer(200, answers[method])

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_queries_of_a_real_server_wait_for_their_result(monkeypatch):
    late = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LateServer)
    threading.Thread(target=late.serve_forever, daemon=True).start()
    try:
        monkeypatch.setenv("PYROSCOPE_URL", f"http://127.0.0.1:{late.server_port}/")
        with PyroscopeServer() as s:
            assert s.is_real and s.url in s.kind and not s.url.endswith("/")
            assert s.label_values("service_name", timeout=0) == []
            assert s.label_values("service_name") == ["x"]
            assert LateServer.queries == 3
            LateServer.queries = 0
            assert pprof_reader.read(s.select_merge_profile(CPU)).total("cpu") > 0
            assert LateServer.queries == 3
            with pytest.raises(PyroscopeError) as e:
                s.profile_types()
            assert (e.value.status, e.value.code) == (502, "")
            assert "bad gateway" in e.value.message
    finally:
        late.shutdown()
        late.server_close()


def test_a_server_that_is_not_there_is_named():
    s = PyroscopeServer(url="http://127.0.0.1:1")
    with pytest.raises(TimeoutError, match="127.0.0.1:1"):
        s.wait_ready(timeout=0)
