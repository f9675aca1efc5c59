#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs applications that end by exit() while profiles are pushed over TLS.

usage: run-exits.py PROGRAM [--plugin FILE LIBCURL]... [--missing LIBCURL]...

PROGRAM CASE is one application; FILE is the plugin, linked with the library
LIBCURL, and --missing names a library that the machine does not have. The
server here has a certificate of an authority of its own (ca-file). Each
application has to end with status 0 and in time, and its last profile has to
be with the server unless the case says otherwise. TAP goes to the standard
output.
"""

import argparse
import http.server
import os
import signal
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SKIPPED = 77
# What two busy cores may take to start, schedule and end a process.
SLACK = 6.0


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Counts the pushes; below /silent it takes them and does not answer."""

    daemon_threads = True

    def __init__(self, authority, certificate, key):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pushed = {}
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.load_verify_locations(authority)
        self._context.verify_mode = ssl.CERT_OPTIONAL
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        # The handshake belongs to the connection's own thread.
        try:
            request.settimeout(30)
            secured = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return  # a client that has gone
        super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        pass

    def url(self, path):
        return f"https://localhost:{self.server_port}/{path}"

    def n_pushed(self, path):
        with self.lock:
            return self.pushed.get(f"/{path}/push.v1.PusherService/Push", 0)


class Handler(http.server.BaseHTTPRequestHandler):
    # Connections are kept: one is there when the application ends.
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/client") and not self.connection.getpeercert():
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with self.server.lock:
            pushed = self.server.pushed
            pushed[self.path] = pushed.get(self.path, 0) + 1
        if self.path.startswith("/silent"):
            self.server.ended.wait()
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


def make_certificates(folder):
    """An authority and a certificate of it for localhost."""
    authority, certificate = folder / "ca.pem", folder / "server.pem"
    common = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-x509",
              "-days", "2"]
    for arguments in (
        ["-subj", "/CN=test authority", "-keyout", folder / "ca.key", "-out",
         authority],
        ["-subj", "/CN=localhost", "-keyout", folder / "server.key", "-out",
         certificate, "-CA", authority, "-CAkey", folder / "ca.key", "-addext",
         "subjectAltName=DNS:localhost", "-addext",
         "basicConstraints=critical,CA:FALSE"],
        ["-subj", "/CN=camera 7", "-keyout", folder / "client.key", "-out",
         folder / "client.pem", "-CA", authority, "-CAkey", folder / "ca.key",
         "-addext", "basicConstraints=critical,CA:FALSE"],
    ):
        subprocess.run([*common, *arguments], check=True, capture_output=True)
    return authority, certificate, folder / "server.key"


class Tests:
    """Numbers what it is told, and the applications' folders."""

    def __init__(self, options, folder):
        self._program = options.program
        self._folder = folder
        self._authority, *pair = make_certificates(folder)
        self.server = Server(self._authority, *pair)
        self.client_certificate = dict(client_cert_file=folder / "client.pem",
                                       client_key_file=folder / "client.key")
        self._n_runs = 0
        self._n_tests = 0
        self.failed = False

    def run(self, flavour, case, path="push", timeout=5, delay=0,
            environment=(), wait=0, **settings):
        """One application: (what is wrong, its messages, pushes, captures).
        It may wait for WAIT seconds for something of the profiler's."""
        self._n_runs += 1
        path = f"{path}-{self._n_runs}"
        folder = self._folder / f"run-{self._n_runs}"
        values = dict(server_url=self.server.url(path), output_dir=folder,
                      ca_file=self._authority, stop_timeout=timeout,
                      sample_rate=1000, **settings)
        extra = environment
        environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("GST_DEBUG", "GST_PYROSCOPE_", "GST_REGISTRY",
                                    "GST_TRACERS", "PYROSCOPE_"))
            and not name.lower().endswith("_proxy")
        }
        # The first of two plugins with one name counts. What else is there
        # are the elements of a GStreamer that is not installed.
        plugins = [str(flavour.folder)]
        for name in "GST_PLUGIN_PATH_1_0", "GST_PLUGIN_PATH":
            plugins += filter(None, [environment.pop(name, "")])
        environment.update(
            GST_PLUGIN_PATH=":".join(plugins),
            GST_REGISTRY=str(flavour.folder / "registry.bin"),
            GST_TRACERS="pyroscope({})".format(",".join(
                f'{name.replace("_", "-")}="{value}"'
                for name, value in values.items())),
            LIBCURL=flavour.libcurl, CAPTURES=str(folder), DELAY_US=str(delay), **dict(extra))
        begin = time.monotonic()
        limit = timeout + SLACK + wait
        process = subprocess.Popen(
            [self._program, case], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True)
        try:
            output, _ = process.communicate(timeout=limit + 10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        seconds = time.monotonic() - begin
        problem = ""
        if process.returncode == SKIPPED:
            problem = "SKIP " + output.strip()
        elif process.returncode != 0:
            problem = f"status {process.returncode} after {seconds:.2f} s"
        elif seconds > limit:
            problem = f"took {seconds:.2f} s"
        return (problem, output, self.server.n_pushed(path),
                len(list(folder.glob("*.pb.gz"))))

    def tell(self, name, problem, output=""):
        self._n_tests += 1
        if problem.startswith("SKIP"):
            print(f"ok {self._n_tests} {name} # {problem}")
        elif problem:
            self.failed = True
            print(f"not ok {self._n_tests} {name}")
            for line in (problem + "\n" + output).splitlines():
                print("# " + line)
        else:
            print(f"ok {self._n_tests} {name}")
        sys.stdout.flush()

    def end(self):
        self.server.ended.set()
        print(f"1..{self._n_tests}")


class Flavour:
    """The plugin under the name that GStreamer asks for."""

    def __init__(self, file, libcurl, folder):
        self.libcurl = libcurl
        self.folder = folder / libcurl
        self.folder.mkdir()
        os.symlink(os.path.abspath(file),
                   self.folder / "libgstpyroscopetracer.so")


def test_delivers(tests, flavour, case, name, at_least=1, **settings):
    problem, output, pushed, captures = tests.run(flavour, case, **settings)
    if not problem and (pushed != captures or captures < at_least):
        problem = (f"{pushed} profiles pushed, {captures} captures; both have"
                   f" to be {at_least} or more, and equal")
    if not problem and "warning" in output:
        problem = "a warning"
    tests.tell(f"{flavour.libcurl}: {name}", problem, output)


def test_cleaned_up(tests, flavour):
    """What libcurl needs is gone: the profile is not pushed, and that is
    reported."""
    problem, output, pushed, captures = tests.run(flavour, "cleans-openssl-up")
    if not problem and captures != 1:
        problem = f"{captures} captures instead of 1"
    if not problem and pushed == 0 and "warning" not in output:
        problem = "no profile was pushed and no warning says so"
    tests.tell(f"{flavour.libcurl}: an application that has cleaned OpenSSL up"
               " itself ends as it would", problem, output)


def test_client_certificate(tests, flavour):
    test_delivers(tests, flavour, "returns",
                  "a server that asks for a client certificate gets it",
                  path="client", **tests.client_certificate)
    problem, output, pushed, _ = tests.run(flavour, "returns", path="client")
    if not problem and (pushed or "refuses access: status 403" not in output):
        problem = "without one, the profile was pushed or no warning says why"
    tests.tell(f"{flavour.libcurl}: without the certificate it is refused",
               problem, output)


def test_quits_soon(tests, flavour):
    for delay in range(0, 60_000, 6_000):
        problem, output, pushed, captures = tests.run(
            flavour, "quits-soon", delay=delay)
        if not problem and pushed != captures and "warning" not in output:
            problem = (f"{captures} captures, {pushed} pushed, and no warning"
                       " says why")
        if problem:
            problem += f" (exit {delay} us after the start)"
            break
    tests.tell(f"{flavour.libcurl}: an exit soon after the start harms nobody",
               problem, output)


def test_quits_while_starting(tests, flavour, folder):
    """OpenSSL reads its configuration, which takes longer than the
    application plays."""
    configuration = folder / "openssl.cnf"
    os.mkfifo(configuration)
    over = threading.Event()

    def write():
        while not over.is_set():
            try:
                file = os.open(configuration, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads
                time.sleep(0.01)
                continue
            time.sleep(0.8)
            os.close(file)
            time.sleep(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    problem, output, pushed, captures = tests.run(
        flavour, "quits-soon", delay=300_000,
        environment={"OPENSSL_CONF": str(configuration)})
    over.set()
    writer.join()
    if not problem and (pushed, captures) != (1, 1):
        problem = f"{pushed} pushed, {captures} captures, not 1 and 1"
    tests.tell(f"{flavour.libcurl}: an exit while libcurl is initialized waits"
               " for it, and the profile is pushed", problem, output)


def test_silent_server(tests, flavour, timeout):
    """What is left behind in the middle of a push is still there when the
    libraries are cleaned up."""
    problem, output, _, captures = tests.run(
        flavour, "ends-slowly", path="silent", timeout=timeout, wait=30,
        upload_interval=1)
    if not problem and captures < (2 if timeout else 1):
        problem = f"only {captures} captures"
    if not problem and "warning" not in output:
        problem = "no warning says that the profile was not pushed"
    tests.tell(f"{flavour.libcurl}: a push that is given up after {timeout} s"
               " leaves TLS alone", problem, output)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--plugin", nargs=2, action="append", default=[])
    parser.add_argument("--missing", action="append", default=[])
    options = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory(prefix="exits-") as name:
        folder = Path(name)
        tests = Tests(options, folder)
        for libcurl in options.missing:
            tests.tell(libcurl, "SKIP this machine has no such library")
        for file, libcurl in options.plugin:
            flavour = Flavour(file, libcurl, folder)
            tests.run(flavour, "returns")  # fills the registry of plugins
            test_delivers(tests, flavour, "returns",
                          "the only profile is pushed at exit")
            test_delivers(tests, flavour, "returns-later",
                          "the last profile is pushed at exit", 2,
                          upload_interval=1)
            test_delivers(tests, flavour, "uses-openssl-before",
                          "it is where the application used OpenSSL before")
            test_delivers(tests, flavour, "uses-openssl-after",
                          "it is where the application used OpenSSL after")
            test_delivers(tests, flavour, "uses-curl",
                          "it is where the application used libcurl itself")
            test_client_certificate(tests, flavour)
            test_cleaned_up(tests, flavour)
            test_quits_soon(tests, flavour)
            if libcurl == "libcurl.so.4":
                test_quits_while_starting(tests, flavour, folder)
            for timeout in 0, 3:
                test_silent_server(tests, flavour, timeout)
        tests.end()
    return 1 if tests.failed else 0


if __name__ == "__main__":
    sys.exit(main())
