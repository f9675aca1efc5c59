# SPDX-License-Identifier: LGPL-2.1-or-later
"""fetch.py against a small server of our own: what it keeps, what it throws
away, and what it says."""

import configparser
import hashlib
import http.server
import re
import threading

import pytest

import fetch

GOOD = b"an archive of GStreamer" * 1000
GOOD_SUM = hashlib.sha256(GOOD).hexdigest()
VERSION = "1.22.7"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        self.server.asked.append(self.path)
        body, length = self.server.files.get(self.path, (None, 0))
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture(name="server")
def fixture_server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.asked = {}, []
        server.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def serve(server, body, name=f"gstreamer-{VERSION}.tar.xz", length=None):
    server.files[f"/{name}"] = (body, len(body) if length is None else length)


class NoDebian(fetch.Debian):
    """A system without apt-get."""

    def __init__(self):  # pylint: disable=super-init-not-called
        self.broken = "this system has no apt-get"
        self.loaded = []


class Fetch:
    """One module's wrap template, its cache, and fetch_archive on them."""

    def __init__(self, folder, address):
        self.cache = folder / "packagecache"
        self.cache.mkdir()
        self.archive = self.cache / f"gstreamer-{VERSION}.tar.xz"
        self.template = folder / "gstreamer.wrap.in"
        self.template.write_text(
            "[wrap-file]\n"
            "directory = gstreamer-@version@\n"
            f"source_url = {address}/gstreamer-@version@.tar.xz\n"
            "source_filename = gstreamer-@version@.tar.xz\n"
            "source_hash = @sha256@\n")

    def __call__(self, pinned=GOOD_SUM, debian=None):
        return fetch.fetch_archive(
            "gstreamer", self.template, VERSION, pinned, self.cache,
            (fetch.Upstream(), debian or NoDebian()))


@pytest.fixture(name="fetch_it")
def fixture_fetch_it(server, tmp_path):
    return Fetch(tmp_path, server.address)


def test_an_archive_with_the_pinned_sum_is_kept(server, fetch_it):
    serve(server, GOOD)
    assert fetch_it() == GOOD_SUM
    assert fetch_it.archive.read_bytes() == GOOD
    assert [p.name for p in fetch_it.cache.iterdir()] == [
        fetch_it.archive.name]


def test_an_archive_that_is_there_is_not_fetched_again(server, fetch_it):
    fetch_it.archive.write_bytes(GOOD)
    fetch_it()
    assert server.asked == []


def test_a_damaged_archive_is_fetched_again(server, fetch_it, capsys):
    serve(server, GOOD)
    fetch_it.archive.write_bytes(GOOD[:100])
    fetch_it()
    assert fetch_it.archive.read_bytes() == GOOD
    assert "is damaged" in capsys.readouterr().out


def test_a_corrupt_download_is_thrown_away_and_both_sums_are_said(
        server, fetch_it):
    bad = b"<html>not an archive</html>"
    serve(server, bad)
    with pytest.raises(SystemExit) as end:
        fetch_it()
    text = str(end.value)
    assert "the archive is broken" in text
    assert GOOD_SUM in text and hashlib.sha256(bad).hexdigest() in text
    assert str(fetch_it.archive) in text, "where to put it by hand"
    assert not list(fetch_it.cache.iterdir())


def test_a_download_that_breaks_off_is_thrown_away_with_the_byte_counts(
        server, fetch_it):
    serve(server, GOOD[:500], length=len(GOOD))
    with pytest.raises(SystemExit) as end:
        fetch_it()
    assert re.search(r"(ended|broke off) after 500 ", str(end.value))
    assert not list(fetch_it.cache.iterdir())


def test_a_version_that_upstream_never_released_is_said_with_the_address(
        fetch_it, server):
    with pytest.raises(SystemExit) as end:
        fetch_it()
    assert f"{server.address}/gstreamer-{VERSION}.tar.xz: HTTP 404" in str(
        end.value)


def test_without_a_network_both_places_and_the_remedy_are_named(tmp_path):
    lonely = Fetch(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(SystemExit) as end:
        lonely()
    text = str(end.value)
    assert "127.0.0.1:1 cannot be reached" in text
    assert "this system has no apt-get" in text
    assert "network connection" in text


def test_a_server_that_cannot_be_reached_is_asked_once(tmp_path, monkeypatch):
    asked = []

    def refuse(url, timeout):
        asked.append((url, timeout))
        raise fetch.urllib.error.URLError("no route")

    monkeypatch.setattr(fetch.urllib.request, "urlopen", refuse)
    upstream = fetch.Upstream()
    template = Fetch(tmp_path, "http://upstream.test").template
    for module in "gstreamer", "gst-plugins-base":
        with pytest.raises(fetch.FetchError, match="cannot be reached"):
            upstream.fetch(module, template, VERSION, tmp_path / "part")
    assert len(asked) == 1


class FakeDebian(NoDebian):
    def __init__(self, body, wanted=GOOD_SUM):
        super().__init__()
        self.body, self.wanted = body, wanted

    def published_sum(self, module, version):
        return self.wanted

    def fetch(self, module, _template, version, target):
        target.write_bytes(self.body)


def test_what_upstream_does_not_have_comes_from_debian(fetch_it):
    fetch_it(debian=FakeDebian(GOOD))
    assert fetch_it.archive.read_bytes() == GOOD


def test_debians_archive_must_hash_to_the_pinned_sum_too(fetch_it):
    with pytest.raises(SystemExit, match="the archive is broken"):
        fetch_it(debian=FakeDebian(b"repacked"))
    assert not fetch_it.archive.exists()


def test_a_version_without_a_pin_is_checked_against_upstreams_sum(
        server, fetch_it, capsys):
    serve(server, GOOD)
    serve(server, f"{GOOD_SUM}  gstreamer.tar.xz\n".encode(),
          f"gstreamer-{VERSION}.tar.xz.sha256sum")
    assert fetch_it(pinned=None) == GOOD_SUM
    assert "is not pinned" in capsys.readouterr().out


def test_a_sum_file_that_is_none_is_refused(server, fetch_it):
    serve(server, b"<html>", f"gstreamer-{VERSION}.tar.xz.sha256sum")
    with pytest.raises(SystemExit, match="holds no SHA-256 sum"):
        fetch_it(pinned=None)


def test_a_version_without_a_pin_is_checked_against_debians_index(fetch_it):
    with pytest.raises(SystemExit, match="the archive is broken"):
        fetch_it(pinned=None, debian=FakeDebian(b"repacked"))


def test_a_mirror_that_cannot_be_reached_is_one_clear_reason(
        tmp_path, monkeypatch):
    if fetch.shutil.which("apt-get") is None:
        pytest.skip("no apt-get")
    monkeypatch.setattr(fetch, "debian_mirror",
                        lambda: "http://127.0.0.1:1/debian")
    debian = fetch.Debian(tmp_path)
    with pytest.raises(fetch.FetchError, match="bookworm: "):
        debian.published_sum("gstreamer", VERSION)


def test_a_system_without_apt_get_is_said_plainly(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch.shutil, "which", lambda _: None)
    with pytest.raises(fetch.FetchError, match="no apt-get"):
        fetch.Debian(tmp_path).published_sum("gstreamer", VERSION)


@pytest.mark.parametrize("version", ["1.26", "1.26.x", "1.26.2-rc1",
                                     "../../etc", ""])
def test_a_version_that_is_none_is_refused(tmp_path, version):
    with pytest.raises(SystemExit, match="is not a release of GStreamer"):
        fetch.main(["--version", version, str(tmp_path)])


def test_a_wrap_carries_version_and_sum_and_keeps_its_time(fetch_it):
    wrap = fetch_it.cache.parent / "gstreamer.wrap"
    fetch.write_wrap(fetch_it.template, VERSION, GOOD_SUM, wrap)
    before = wrap.stat().st_mtime_ns
    fetch.write_wrap(fetch_it.template, VERSION, GOOD_SUM, wrap)
    assert wrap.stat().st_mtime_ns == before
    ini = configparser.ConfigParser()
    ini.read(wrap)
    assert ini["wrap-file"]["directory"] == f"gstreamer-{VERSION}"
    assert ini["wrap-file"]["source_hash"] == GOOD_SUM
    assert fetch.recorded_sum(wrap, VERSION) == GOOD_SUM
    assert fetch.recorded_sum(wrap, "1.22.8") is None


def test_the_pinned_version_has_a_sum_for_every_module():
    version, sums = fetch.read_sources()
    assert set(sums[version]) == set(fetch.templates())
    assert all(re.fullmatch("[0-9a-f]{64}", s) for s in sums[version].values())


def test_every_wrap_takes_upstreams_release_archive():
    for module, template in fetch.templates().items():
        assert fetch.source_url(template, "1.2.3") == (
            f"https://gstreamer.freedesktop.org/src/{module}/"
            f"{module}-1.2.3.tar.xz")
