#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-pyroscope-inspect push, to a server in this process.

Usage: test_push.py TOOL [unittest arguments]
What a real server's own code says to the requests is among the end-to-end
tests.
"""
import gzip
import http.server
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
from pprof_file import Profile

TOOL = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
MANUAL = pathlib.Path(__file__).parents[1] / "man" / "gst-pyroscope-inspect.1"
MS = 1_000_000


def fields(data):
    """(number, value) of each field of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 2:
            size = varint()
            yield key >> 3, data[at:at + size]
            at += size
        else:
            yield key >> 3, varint()


class Server(http.server.ThreadingHTTPServer):
    """Answers each push with the next of ANSWERS, the last one for ever:
    a status, or (status, header, value), or None for no answer."""

    daemon_threads = True

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.lock = threading.Lock()
        self.requests = []  # (labels, profile, headers) of those answered 200
        self.n_asked = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.n_asked += 1
            answers = self.server.answers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, *header = answer if isinstance(answer, tuple) else (answer,)
        if status == 200:
            self.take(body)
        text = b"{}" if status == 200 else b'{"code":"x","message":"no thanks"}'
        self.send_response(status)
        if header:
            self.send_header(*header)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def take(self, body):
        for number, series in fields(body):
            assert number == 1
            labels, profile = {}, None
            for number, value in fields(series):
                if number == 1:
                    pair = dict(fields(value))
                    labels[pair[1].decode()] = pair[2].decode()
                else:
                    profile = dict(fields(value))[1]
            with self.server.lock:
                self.server.requests.append(
                    (labels, gzip.decompress(profile), dict(self.headers)))

    def log_message(self, *arguments):
        pass


def capture(seconds=0, comments=True, n=1, types=None):
    how = {"types": types} if types else {}
    profile = Profile(
        time_ns=(1_700_000_000 + seconds) * 10**9,
        comments=["series.__name__=process_cpu", "series.service_name=camera",
                  "series.hostname=h1", "stats.samples=1"] if comments else [],
        **how)
    for i in range(n):
        profile.add([f"f{i}", "main"], [1, 10 * MS], element=f"e{i}")
    return profile


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, *answers):
        server = Server(answers or (200,))
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def write(self, n):
        for i in range(n):
            capture(i).write(self.folder / f"{i:03}.pb.gz")

    def push(self, *arguments, status=0, env=None):
        environment = {
            name: value for name, value in os.environ.items()
            if "PYROSCOPE" not in name and not name.lower().endswith("_proxy")}
        result = subprocess.run(
            [TOOL, "push", *map(str, arguments)], capture_output=True,
            timeout=100, text=True, env={**environment, **(env or {})})
        self.out, self.err = result.stdout, result.stderr
        self.assertEqual(result.returncode, status, self.out + self.err)
        self.assertNotRegex(self.err, "(?i)sanitizer|critical")


class Sends(Case):
    def test_a_folder_of_captures_is_sent_with_their_own_labels(self):
        server = self.serve()
        self.write(3)
        self.push("--server-address", server.url, self.folder)
        self.assertEqual(self.err, "")
        self.assertRegex(self.out, r"\A3 of 3 profiles taken by \S+ \(.*\)\n\Z")
        self.assertEqual(
            [labels for labels, _, _ in server.requests],
            [{"__name__": "process_cpu", "service_name": "camera",
              "hostname": "h1"}] * 3)
        self.assertEqual([data for _, data, _ in server.requests],
                         [capture(i).encode() for i in range(3)])

    def test_labels_that_are_given_replace_the_captures(self):
        server = self.serve()
        self.write(1)
        self.push("--server-address", server.url, "--tracer-name", "lab",
                  "--tags", "hostname=h2,rack=7", self.folder / "000.pb.gz")
        (labels, _, _), = server.requests
        self.assertEqual(labels, {"__name__": "process_cpu", "hostname": "h2",
                                  "service_name": "lab", "rack": "7"})

    def test_profiles_of_other_tools_are_sent(self):
        server = self.serve()
        path = capture(comments=False).write(self.folder / "a.pb.gz")
        heap = capture(comments=False, types=(("inuse_objects", "count"),
                                              ("inuse_space", "bytes")))
        (self.folder / "b.pprof").write_bytes(heap.encode())
        self.push("--server-address", server.url, "--tracer-name", "other",
                  path, self.folder / "b.pprof")
        self.assertEqual(
            [labels for labels, _, _ in server.requests],
            [{"__name__": "process_cpu", "service_name": "other"},
             {"__name__": "memory", "service_name": "other"}])

    def test_a_big_profile_is_sent_in_parts(self):
        server = self.serve()
        path = capture(n=20000).write(self.folder / "a.pb.gz")
        self.push("--server-address", server.url, path)
        self.assertRegex(self.out, r"\A1 of 1 profiles .*, 1 in parts\n\Z")
        self.assertGreater(len(server.requests), 1)

    def test_secrets_come_from_files_and_the_environment(self):
        server = self.serve()
        self.write(1)
        token = self.folder / "token"
        token.write_text("s3cr3t\n")
        token.chmod(0o600)
        self.push("--server-address", server.url, "--auth-token-file", token,
                  "--tenant-id", "t1", self.folder / "000.pb.gz")
        self.push(self.folder / "000.pb.gz",
                  env={"PYROSCOPE_SERVER_ADDRESS": server.url,
                       "PYROSCOPE_AUTH_TOKEN": "s3cr3t",
                       "PYROSCOPE_TENANT_ID": "t1"})
        for _, _, headers in server.requests:
            self.assertEqual(headers["Authorization"], "Bearer s3cr3t")
            self.assertEqual(headers["X-Scope-OrgID"], "t1")


class Fails(Case):
    def test_what_may_pass_is_sent_again(self):
        server = self.serve(503, None, (429, "Retry-After", "1"), 200)
        self.write(2)
        self.push("--server-address", server.url, self.folder)
        self.assertEqual(len(server.requests), 2)
        self.assertRegex(self.out, r"2 of 2 .*, [23] requests sent again")
        self.assertEqual(self.err.count("it is tried again"), 1)

    def test_a_refused_profile_is_named_with_the_servers_words(self):
        server = self.serve(200, 400, 200)
        self.write(3)
        self.push("--server-address", server.url, self.folder, status=1)
        self.assertRegex(self.out, r"\A2 of 3 .*, 1 refused\n\Z")
        self.assertRegex(self.err, r"001\.pb\.gz: the server refuses it: .*"
                         "no thanks")

    def test_no_server_is_given_up_in_time(self):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            url = "http://127.0.0.1:%d" % unused.getsockname()[1]
        self.write(3)
        self.push("--server-address", url, "--timeout", 1, self.folder,
                  status=1)
        self.assertRegex(self.out, r"\A0 of 3 .*, \d not sent")
        self.assertEqual(self.err.count("\n"), 1)

    def test_what_will_not_change_is_not_tried_again(self):
        self.write(3)
        for status, text in (401, "refuses access"), (404, "no Pyroscope server"):
            server = self.serve(status)
            self.push("--server-address", server.url, self.folder, status=1)
            self.assertIn(text, self.err)
            self.assertEqual(server.n_asked, 1)

    def test_what_cannot_be_read_does_not_keep_the_rest(self):
        server = self.serve()
        self.write(1)
        (self.folder / "x.pb.gz").write_bytes(b"no profile")
        self.push("--server-address", server.url, self.folder, status=1)
        self.assertRegex(self.out, r"1 of 2 .*, 1 not read")
        self.assertIn("x.pb.gz: ", self.err)
        self.assertEqual(len(server.requests), 1)

    def test_wrong_options_are_refused(self):
        self.write(1)
        path = self.folder / "000.pb.gz"
        for arguments, text in (
            (["--server-address", "ftp://s3cr3t@host", path], "--server-address"),
            (["--server-address", "", path], "--server-address is empty"),
            (["--tags", "=", path], "--tags"),
            (["--timeout", "-1", path], "--timeout -1"),
            (["--no-such-option", path], "no-such-option"),
            ([], "no file or folder"),
        ):
            self.push(*arguments, status=1)
            self.assertIn(text, self.err)
            self.assertNotIn("s3cr3t", self.err)
            self.assertEqual(self.out, "")


class Manual(Case):
    def test_the_manual_has_all_options(self):
        self.push("--help")
        options = re.findall(r"^  (?:-\w, )?--([\w-]+)", self.out, re.M)
        self.assertGreater(len(options), 10)
        manual = MANUAL.read_text().replace("\\-", "-")
        for option in options:
            if option != "help":
                self.assertIn(f"--{option}", manual)


if __name__ == "__main__":
    unittest.main()
