# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was sampled arrives, whatever becomes of the server and of the process."""

import json
import signal
import time

import pprof_reader
import pytest
from captures import Captures
from pipelines import ENDLESS, two_threads


@pytest.fixture
def address(listen):
    """Where nobody listens yet."""
    s = listen()
    host, port = s.getsockname()
    s.close()
    return f"{host}:{port}"


@pytest.fixture
def revive(own_server, address, tmp_path):
    """A function that starts a server at the address. What it takes is kept."""

    def start():
        folder = tmp_path / f"pushed-{time.monotonic_ns()}"
        return own_server("-listen", address, "-record", str(folder)), folder

    return start


def stored(folders):
    """The profiles that servers have taken. What was sent twice counts once, as
    it does on a real server: it has one time."""
    profiles = {}
    for folder in folders:
        for about in folder.glob("*.json"):
            facts = json.loads(about.read_text())
            assert facts["accepted"], facts
            profile = pprof_reader.read(folder / facts["file"])
            profiles[profile.time_nanos] = profile
    return list(profiles.values())


def total(profiles):
    return sum(p.total("cpu") for p in profiles)


@pytest.mark.parametrize("spool", [False, True], ids=["memory", "spool"])
def test_a_server_that_restarts_three_times_has_it_all(
    launcher, revive, address, tmp_path, spool
):
    folders = []
    running = launcher.start(
        two_threads(900, live=True),
        server_url=f"http://{address}",
        upload_interval=1,
        stop_timeout=10,
        **({"spool_dir": tmp_path / "spool"} if spool else {}),
    )
    for _ in range(3):
        time.sleep(1.5)
        server, folder = revive()
        folders.append(folder)
        time.sleep(2.5)
        server.stop()
    server, folder = revive()
    folders.append(folder)
    run = running.wait(launcher.captures)
    assert run.status == 0
    assert len(run.captures.files) >= 8
    if spool and list((tmp_path / "spool").iterdir()):
        # A stop does not wait where the next process will send the rest.
        launcher.run(
            "fakesrc num-buffers=1 ! fakesink",
            server_url=f"http://{address}",
            spool_dir=tmp_path / "spool",
            output_dir=tmp_path / "other",
        )
    assert total(stored(folders)) >= run.captures.total()
    mine = {p.time_nanos for p in run.captures.profiles}
    assert (
        total(p for p in stored(folders) if p.time_nanos in mine)
        == run.captures.total()
    )
    again = [m for m in run.messages if "takes profiles again" in m]
    outages = [m for m in run.messages if "warning: no server" in m]
    assert len(outages) >= 1 and len(again) in (len(outages), len(outages) - 1)


def test_what_a_killed_process_spooled_is_sent_by_the_next(
    launcher, revive, address, tmp_path
):
    settings = {
        "server_url": f"http://{address}",
        "upload_interval": 1,
        "spool_dir": tmp_path / "spool",
    }
    running = launcher.start(ENDLESS, **settings)
    running.until(lambda: len(Captures(launcher.captures).files) >= 3, "3 captures")
    time.sleep(0.3)
    running.send(signal.SIGKILL)
    killed = running.wait(launcher.captures)
    before = killed.captures.total()
    assert len(list((tmp_path / "spool").glob("*.push"))) >= 3

    _, folder = revive()
    run = launcher.run("videotestsrc num-buffers=60 ! fakesink", **settings)
    assert run.status == 0 and run.captures.total() >= before
    assert list((tmp_path / "spool").iterdir()) == []
    mine = {p.time_nanos: p.total("cpu") for p in run.captures.profiles}
    got = {p.time_nanos: p.total("cpu") for p in stored([folder])}
    # The spool may have one that the captures lack, and the other way round.
    assert len(mine.keys() ^ got.keys()) <= 1
    assert all(got[t] == mine[t] for t in mine.keys() & got.keys())
