# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the end-to-end tests share."""

import os
import socket
import subprocess
import uuid

import pytest

import launcher as launching
from pyroscope_client import PyroscopeServer, google_pprof


def pytest_terminal_summary(terminalreporter):
    # -q prints no header: which server it was belongs to the result.
    terminalreporter.write_line(f"pushed to and queried: {PyroscopeServer().kind}")


@pytest.fixture(scope="session", autouse=True)
def registry(tmp_path_factory):
    """GStreamer's registry of plugins, filled: no test pays for it, and the
    user's own stays as it is."""
    if "GST_REGISTRY" not in os.environ:
        path = tmp_path_factory.mktemp("registry") / "registry.bin"
        os.environ["GST_REGISTRY"] = str(path)
    found = subprocess.run(
        ["gst-inspect-1.0", "pyroscope"],
        env=launching.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, (
        f"no plugin in GST_PLUGIN_PATH={launching.environment()['GST_PLUGIN_PATH']}; "
        f"build it with `just test`: {found.stderr}"
    )


@pytest.fixture(scope="session")
def server():
    """The real server that PYROSCOPE_URL names, or one test server for all."""
    with PyroscopeServer() as s:
        yield s


@pytest.fixture
def own_server():
    """A function that starts the test server with arguments."""
    started = []

    def start(*args, **kwargs):
        s = PyroscopeServer(args=list(args), **kwargs)
        if s.is_real:
            pytest.skip("needs the test server's options")
        started.append(s)
        return s.__enter__()

    yield start
    for s in started:
        s.stop()


@pytest.fixture
def service():
    """A service that nobody else has, on a server that others use as well."""
    return "gst-pyroscope-test-" + uuid.uuid4().hex


@pytest.fixture
def launcher(tmp_path):
    launcher = launching.Launcher(tmp_path)
    yield launcher
    launcher.stop()


@pytest.fixture
def pprof(tmp_path):
    """A function that runs google's pprof and returns its output."""
    program = os.environ.get("PPROF") or google_pprof()

    def run(*arguments):
        done = subprocess.run(
            [program, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**launching.environment(), "PPROF_TMPDIR": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def needs_elements():
    """A function that skips the test where GStreamer lacks elements."""

    def check(*names):
        for name in names:
            found = subprocess.run(
                ["gst-inspect-1.0", "--exists", name],
                env=launching.environment(),
                check=False,
                timeout=60,
            )
            if found.returncode:
                pytest.skip(f"this GStreamer has no {name}")

    return check


@pytest.fixture
def listen():
    """A function that makes a listening socket on this machine. Nobody accepts
    what comes, unless the test does."""
    sockets = []

    def make(backlog=16):
        s = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        sockets.append(s)
        return s

    yield make
    for s in sockets:
        s.close()
