#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fetch GStreamer's release archives and write the wraps that name them.

    fetch.py [--version X.Y.Z] STAGE

STAGE becomes the super-project's folder: its subprojects/ receives one wrap
per template in this folder's subprojects/, and subprojects/packagecache/ the
archives, each checked against its SHA-256 before it gets its name there.

The sum is the one in sources.ini; for a version that has no section there,
upstream's .sha256sum file or Debian's signed package index gives it. The
archives come from upstream; where upstream cannot be reached, from Debian's
source packages, through a private apt configuration (nothing below /etc/apt
is read for sources or written, and no root is needed).
"""

import argparse
import configparser
import hashlib
import http.client
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE / "sources.ini"
DEBIAN_MIRROR = "http://deb.debian.org/debian"
# Where a version is looked for, in this order. Stable suites first: their
# mirrors are the most complete.
DEBIAN_SUITES = ("bookworm", "trixie", "bookworm-backports",
                 "trixie-backports", "forky", "sid")
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TIMEOUT = 20  # seconds without a byte, after which a server counts as silent
CHUNK = 1 << 16


class FetchError(Exception):
    """One archive could not be had from one place; the text says why."""


def say(text):
    print(f"gstreamer-native: {text}", flush=True)


def templates():
    """The modules to fetch, by name, with their wrap templates."""
    found = {p.name[:-len(".wrap.in")]: p
             for p in sorted((HERE / "subprojects").glob("*.wrap.in"))}
    # Core first, so that a version that cannot be had fails at once.
    return {m: found[m] for m in sorted(found, key=lambda m: m != "gstreamer")}


def read_sources(path=SOURCES):
    """The pinned version, and {version: {module: sha256}}."""
    ini = configparser.ConfigParser()
    with open(path, encoding="utf-8") as f:
        ini.read_file(f)
    version = ini["gstreamer-native"]["version"]
    sums = {s: dict(ini[s]) for s in ini.sections() if s != "gstreamer-native"}
    return version, sums


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def source_url(template, version):
    """The archive's address upstream, as the wrap template has it."""
    for line in template.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "source_url":
            return value.strip().replace("@version@", version)
    raise FetchError(f"{template}: no source_url line")


class Upstream:
    """GStreamer's own download server."""

    name = "upstream"

    def __init__(self):
        self.silent = None  # why the server cannot be reached, once known

    def _open(self, url):
        if self.silent:
            raise FetchError(self.silent)
        try:
            return urllib.request.urlopen(url, timeout=TIMEOUT)
        except urllib.error.HTTPError as e:
            raise FetchError(f"{url}: HTTP {e.code} {e.reason}") from e
        except (urllib.error.URLError, OSError) as e:
            host = urllib.request.urlparse(url).netloc
            reason = getattr(e, "reason", e)
            self.silent = f"{host} cannot be reached ({reason})"
            raise FetchError(self.silent) from e

    def published_sum(self, template, version):
        """The SHA-256 that upstream publishes beside the archive."""
        url = source_url(template, version) + ".sha256sum"
        with self._open(url) as answer:
            text = answer.read(4096).decode("ascii", "replace")
        match = re.match(r"[0-9a-f]{64}\b", text)
        if not match:
            raise FetchError(f"{url}: holds no SHA-256 sum")
        return match.group(0)

    def fetch(self, module, template, version, target):
        url = source_url(template, version)
        with self._open(url) as answer, open(target, "wb") as out:
            length = int(answer.headers.get("Content-Length") or 0)
            got = 0
            try:
                while block := answer.read(CHUNK):
                    out.write(block)
                    got += len(block)
                    progress(target.name, got, length)
            except (OSError, http.client.HTTPException) as e:
                raise FetchError(f"{url}: broke off after {got} bytes ({e})")
        if length and got != length:
            raise FetchError(
                f"{url}: ended after {got} of {length} bytes")


def progress(name, got, length):
    """A line that grows in place on a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        whole = f" of {length >> 10}" if length else ""
        end = "\n" if length and got >= length else ""
        print(f"\r  {name}: {got >> 10}{whole} KiB", end=end, file=sys.stderr,
              flush=True)


def debian_mirror():
    """The mirror that this system uses itself, if it is a Debian."""
    apt = pathlib.Path("/etc/apt")
    files = [apt / "sources.list",
             *sorted((apt / "sources.list.d").glob("*.sources")),
             *sorted((apt / "sources.list.d").glob("*.list"))]
    for path in files:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            if line.lstrip().startswith("#"):
                continue
            match = re.search(r"\bhttps?://\S+/debian/?(?=\s|$)", line)
            if match:
                return match.group(0).rstrip("/")
    return DEBIAN_MIRROR


class Debian:
    """Debian's source packages, read by apt with a configuration of its own.

    The .orig.tar.xz of a source package is upstream's archive; apt checks it
    against the signed index, and our own sum is checked on top."""

    name = "Debian's source packages"

    def __init__(self, scratch):
        self.root = pathlib.Path(scratch)
        self.broken = None      # why apt is of no use here, once known
        self.loaded = []        # suites whose index has been read
        self.mirror = debian_mirror()

    def _apt(self, tool, *arguments, cwd=None):
        options = {
            "Dir::Etc::sourcelist": self.root / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State": self.root / "state",
            "Dir::State::lists": self.root / "state/lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.root / "cache",
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": str(TIMEOUT),
        }
        command = [tool, "-q"]
        for key, value in options.items():
            command += ["-o", f"{key}={value}"]
        return subprocess.run(
            command + list(arguments), cwd=cwd, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"})

    def _load(self, suite):
        """Read one suite's index of source packages."""
        if shutil.which("apt-get") is None:
            self.broken = "this system has no apt-get"
        if self.broken:
            raise FetchError(self.broken)
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
        with open(self.root / "sources.list", "a", encoding="utf-8") as f:
            f.write(f"deb-src{signed} {self.mirror} {suite} main\n")
        say(f"reading Debian's index of {suite} from {self.mirror}")
        done = self._apt("apt-get", "update")
        self.loaded.append(suite)
        failed = [s for s in done.stdout.splitlines()
                  if s.startswith(("Err:", "E:", "W: Failed"))]
        if done.returncode or failed:
            raise FetchError(f"{suite}: " + (failed or ["apt-get update "
                             f"ended with {done.returncode}"])[-1])

    def _find(self, module, version):
        """(Debian version, archive's name, its sum) in the signed index."""
        package = module + "1.0"
        for suite in (*self.loaded, *DEBIAN_SUITES):
            if suite not in self.loaded:
                try:
                    self._load(suite)
                except FetchError:
                    if self.broken or suite == DEBIAN_SUITES[0]:
                        raise
                    continue
            shown = self._apt("apt-cache", "showsrc", package).stdout
            for stanza in shown.split("\n\n"):
                full = re.search(r"^Version: (\S+)$", stanza, re.M)
                file = re.search(r"^ ([0-9a-f]{64}) \d+ (\S+_"
                                 + re.escape(version)
                                 + r"\.orig\.tar\.xz)$", stanza, re.M)
                if full and file:
                    return full.group(1), file.group(2), file.group(1)
        raise FetchError(f"no {package} with GStreamer {version} in "
                         + ", ".join(self.loaded))

    def published_sum(self, module, version):
        return self._find(module, version)[2]

    def fetch(self, module, _template, version, target):
        full, file, _ = self._find(module, version)
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.root))
        # Only the archive: apt would fetch Debian's patches as well.
        done = self._apt("apt-get", "source", "--download-only", "--tar-only",
                         f"{module}1.0={full}", cwd=folder)
        if done.returncode or not (folder / file).exists():
            last = [s for s in done.stdout.splitlines()
                    if s.startswith("E:")][:1]
            raise FetchError(" ".join([f"apt-get source {module}1.0={full} "
                             f"ended with {done.returncode}", *last]))
        shutil.move(folder / file, target)


def fetch_archive(module, template, version, pinned, cache, places):
    """Put one verified archive into the cache; return its sum."""
    archive = cache / f"{module}-{version}.tar.xz"
    wanted, origin = pinned, "sources.ini"
    reasons = []
    upstream, debian = places
    if wanted is None:
        for place, ask in ((upstream, lambda: upstream.published_sum(
                            template, version)),
                           (debian, lambda: debian.published_sum(
                               module, version))):
            try:
                wanted, origin = ask(), place.name
                break
            except FetchError as e:
                reasons.append(f"its sum from {place.name}: {e}")
        else:
            fail(archive, None, reasons)
        say(f"{archive.name} is not pinned in sources.ini; "
            f"{origin} says sha256 {wanted}")
    if archive.exists():
        got = sha256(archive)
        if got == wanted:
            return wanted
        say(f"{archive} is damaged (sha256 {got}, {origin} says {wanted}); "
            "fetching it again")
        archive.unlink()
    part = archive.with_name(archive.name + ".part")
    for place in places:
        say(f"fetching {archive.name} from {place.name}")
        try:
            place.fetch(module, template, version, part)
            got = sha256(part)
            if got != wanted:
                raise FetchError(
                    f"the archive is broken: {part.stat().st_size} bytes "
                    f"with sha256 {got}, {origin} says {wanted}")
            part.rename(archive)
            return wanted
        except FetchError as e:
            say(f"not from {place.name}: {e}")
            reasons.append(f"from {place.name}: {e}")
        finally:
            part.unlink(missing_ok=True)
    fail(archive, wanted, reasons)


def fail(archive, wanted, reasons):
    lines = [f"{archive.name} could not be had:"]
    lines += [f"  {reason}" for reason in reasons]
    lines.append("Try again with a network connection"
                 + (f", or put the archive there by hand: {archive}"
                    f" (sha256 {wanted})." if wanted else "."))
    sys.exit("gstreamer-native: " + "\n".join(lines))


def recorded_sum(wrap, version):
    """The sum an earlier run wrote for this version, or None."""
    try:
        text = wrap.read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(rf"-{re.escape(version)}\.tar\.xz\n"
                      r"source_hash = ([0-9a-f]{64})$", text, re.M)
    return match and match.group(1)


def write_wrap(template, version, wanted, path):
    text = (template.read_text(encoding="utf-8")
            .replace("@version@", version).replace("@sha256@", wanted))
    # Unchanged files keep their times, so that a second run stays a no-op.
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main(arguments=None):
    pinned_version, sums = read_sources()
    parser = argparse.ArgumentParser(
        description="Fetch GStreamer's release archives and write the wraps.")
    parser.add_argument("--version", default=pinned_version)
    parser.add_argument("stage", type=pathlib.Path)
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"\d+\.\d+\.\d+", options.version):
        sys.exit(f"gstreamer-native: version={options.version} is not a "
                 "release of GStreamer; write it like " + pinned_version)

    subprojects = options.stage / "subprojects"
    cache = subprojects / "packagecache"
    cache.mkdir(parents=True, exist_ok=True)
    pins = sums.get(options.version, {})
    with tempfile.TemporaryDirectory(prefix="gstreamer-native-") as scratch:
        places = (Upstream(), Debian(scratch))
        for module, template in templates().items():
            wrap = subprojects / f"{module}.wrap"
            pinned = (pins.get(module)
                      or recorded_sum(wrap, options.version))
            wanted = fetch_archive(module, template, options.version,
                                   pinned, cache, places)
            write_wrap(template, options.version, wanted, wrap)


if __name__ == "__main__":
    main()
