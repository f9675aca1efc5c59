# SPDX-License-Identifier: LGPL-2.1-or-later
"""Without a server that works, the pipeline plays as ever, one warning says
so, and the process ends within stop-timeout."""

import http.server
import socket
import threading

import pytest
from launcher import Launcher
from pipelines import LIVE, two_threads

STOP_TIMEOUT = 2
# What two busy cores may take to start, schedule and end a process.
SLACK = 2.0


@pytest.fixture(scope="module")
def without_tracer(tmp_path_factory):
    return Launcher(tmp_path_factory.mktemp("without")).run(LIVE, tracers="")


def what_it_said(run):
    """The output without what differs from run to run."""
    return [
        line
        for line in run.stdout.splitlines()
        if not line.startswith(("Execution ended after", "Redistribute latency"))
    ]


@pytest.fixture
def nobody(listen):
    """Nothing listens there."""
    s = listen()
    address = s.getsockname()
    s.close()
    return address


@pytest.fixture
def silent(listen):
    """Takes connections and requests, never answers."""
    s = listen()
    taken = []

    def accept():
        while True:
            try:
                taken.append(s.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield s.getsockname()
    s.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in taken:
        connection.close()


@pytest.fixture
def black_hole(listen):
    """What is sent there is not even refused: the kernel drops connection
    requests where the queue of those not yet accepted is full."""
    s = listen(backlog=0)
    waiting = []
    for _ in range(16):
        c = socket.socket()
        waiting.append(c)
        c.settimeout(0.3)
        try:
            c.connect(s.getsockname())
        except TimeoutError:
            break
    else:
        pytest.skip("the queue of connections cannot be filled here")
    yield s.getsockname()
    for c in waiting:
        c.close()


@pytest.fixture
def other_server(listen):
    """A web server that is no Pyroscope."""

    class NotFound(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_error(404)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NotFound)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("server", ["nobody", "silent", "black_hole", "other_server"])
def test_the_pipeline_plays_as_ever(launcher, without_tracer, request, server):
    host, port = request.getfixturevalue(server)
    run = launcher.run(
        LIVE,
        server_url=f"http://{host}:{port}",
        upload_interval=1,
        stop_timeout=STOP_TIMEOUT,
        output_dir=None,
    )
    assert run.status == without_tracer.status == 0
    assert what_it_said(run) == what_it_said(without_tracer)
    assert "Got EOS from element" in run.stdout

    (warning,) = run.messages
    assert run.stderr.splitlines() == [warning]
    assert warning.startswith("gst-pyroscope: warning: ")
    assert f"{host}:{port}" in warning
    assert "stop-timeout" in warning or "set server-url" in warning

    assert run.seconds < without_tracer.seconds + STOP_TIMEOUT + SLACK
    if server in ("nobody", "other_server"):  # there is nothing to wait for
        assert run.seconds < without_tracer.seconds + SLACK


def test_a_stop_timeout_of_0_waits_for_nobody(launcher, without_tracer, silent):
    # How far the delivery comes is chance; what is lost is told once, always.
    host, port = silent
    for output_dir in launcher.captures, None:
        run = launcher.run(
            LIVE,
            server_url=f"http://{host}:{port}",
            stop_timeout=0,
            output_dir=output_dir,
        )
        assert run.status == 0
        assert len(run.messages) == 1 and "stop-timeout" in run.messages[0]
        assert run.seconds < without_tracer.seconds + SLACK


def test_captures_are_complete_without_a_server(launcher, silent):
    host, port = silent
    run = launcher.run(
        two_threads(150, live=True),
        server_url=f"http://{host}:{port}",
        upload_interval=1,
        stop_timeout=STOP_TIMEOUT,
    )
    assert run.status == 0
    assert len(run.captures.files) >= 2
    assert run.captures.others == []
    assert len(run.messages) == 1 and "output-dir" in run.messages[0]


def test_a_warning_goes_to_the_log_where_there_is_one(launcher, nobody):
    host, port = nobody
    run = launcher.run(
        LIVE, server_url=f"http://{host}:{port}", env={"GST_DEBUG": "2"}
    )
    assert run.messages == []
    assert "WARN" in run.log_line(f"no server at http://{host}:{port}")
