# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests' own pprof decoder."""

import gzip
import random
import zlib

import pytest

import pprof_reader
from pprof_reader import PprofError
from pprof_writer import Writer, data, number, varint

TYPES = [("samples", "count"), ("cpu", "nanoseconds")]


def example(packed=True):
    w = Writer(TYPES, time_nanos=1_700_000_000_000_000_000)
    w.packed = packed
    w.comments = ["one", "größe"]
    w.add(["main", "chain", "encode"], [3, 30], {"element": "enc"}, {"tid": 7})
    w.add(["main", "chain"], [1, 11], {"element": "enc"})
    w.add(["main"], [2, -5])
    return w.encode()


@pytest.mark.parametrize("packed", [True, False])
def test_everything_is_read(packed):
    p = pprof_reader.read(example(packed))
    assert p.sample_types == TYPES
    assert p.comments == ["one", "größe"]
    assert p.period_type == ("cpu", "nanoseconds")
    assert p.period == 10_000_000
    assert p.time_nanos == 1_700_000_000_000_000_000
    assert p.duration_nanos == 10_000_000_000
    assert p.default_sample_type == "cpu"
    assert [s.stack for s in p.samples] == [
        ("main", "chain", "encode"),
        ("main", "chain"),
        ("main",),
    ]
    assert [s.values for s in p.samples] == [[3, 30], [1, 11], [2, -5]]
    assert p.samples[0].labels == {"element": "enc"}
    assert p.samples[0].num_labels == {"tid": 7}
    leaf = p.samples[0].frames[0]
    assert (leaf.function, leaf.system_name, leaf.filename) == (
        "encode",
        "_Zencode",
        "encode.c",
    )
    assert (leaf.line, leaf.address) == (11, 0x1001)
    m = leaf.mapping
    assert m == p.mappings[0]
    assert (m.start, m.limit, m.offset) == (0x1000, 0x9000, 0x200)
    assert (m.filename, m.build_id) == ("/usr/lib/libx.so", "0123abcd")
    assert m.has_functions and not m.has_filenames


def test_totals():
    p = pprof_reader.read(example())
    assert p.total("samples") == 6
    assert p.total("cpu") == 36
    assert p.by_label("element", "cpu") == {"enc": 41, "": -5}
    assert p.by_stack("samples")[("main", "chain")] == 1
    with pytest.raises(KeyError, match="wall"):
        p.total("wall")


def test_gzip_and_files(tmp_path):
    plain = pprof_reader.read(example())
    two_members = gzip.compress(example()[:50]) + gzip.compress(example()[50:])
    assert pprof_reader.read(gzip.compress(example())) == plain
    assert pprof_reader.read(two_members) == plain
    path = tmp_path / "x.pb.gz"
    path.write_bytes(gzip.compress(example()))
    assert pprof_reader.read(path) == pprof_reader.read(str(path)) == plain


def test_inlined_functions_and_locations_without_lines():
    strings = ["", "cpu", "ns", "inner", "outer"]
    p = pprof_reader.read(
        data(1, number(1, 1) + number(2, 2))
        + data(2, data(1, varint(1) + varint(2)) + number(2, 5))
        + data(4, number(1, 1) + data(4, number(1, 1)) + data(4, number(1, 2)))
        + data(4, number(1, 2) + number(3, 0x77))
        + data(5, number(1, 1) + number(2, 3))
        + data(5, number(1, 2) + number(2, 4))
        + b"".join(data(6, s.encode()) for s in strings)
    )
    assert p.samples[0].stack == ("", "outer", "inner")
    assert p.samples[0].frames[2].address == 0x77
    assert p.samples[0].frames[2].mapping is None


def test_unknown_fields_are_skipped():
    extra = (
        number(99, 1)
        + data(98, b"x")
        + varint(97 << 3 | 1)
        + bytes(8)
        + varint(96 << 3 | 5)
        + bytes(4)
    )
    assert pprof_reader.read(extra + example()) == pprof_reader.read(example())


EMPTY_STRING = data(6, b"")


@pytest.mark.parametrize(
    "bad, says",
    [
        (b"", "empty"),
        (b"\x1f\x8b", "cut off"),
        (gzip.compress(example())[:-9], "cut off"),
        (gzip.compress(example()) + b"rest", "gzip"),
        (b"no profile", "cut off|wire type|field"),
        (b"\xff" * 20, "10 bytes"),
        (b"\x12\xff\xff\xff\xff\x0f", "cut off"),
        (b"\x00\x01", "number 0"),
        (b"\x0b", "wire type 3"),
        (number(9, 1), "string_table"),
        (data(6, b"x"), "string_table"),
        (EMPTY_STRING + data(6, b"\xc3\x28"), "UTF-8"),
        (EMPTY_STRING + number(14, 5), "string 5"),
        (EMPTY_STRING + number(14, -1), "string -1"),
        (EMPTY_STRING + data(1, number(1, 9)), "string 9"),
        (EMPTY_STRING + number(2, 1), "field 2 has the wire type 0"),
        (EMPTY_STRING + data(9, b"x"), "field 9 has the wire type 2"),
        (EMPTY_STRING + data(2, number(2, 1)), "1 values for 0"),
        (EMPTY_STRING + data(2, number(1, 3)), "location 3"),
        (EMPTY_STRING + data(4, number(3, 1)), "location has the id 0"),
        (EMPTY_STRING + data(5, number(1, 1)) * 2, "two functions"),
        (EMPTY_STRING + data(4, number(1, 1) + number(2, 4)), "mapping 4"),
        (EMPTY_STRING + data(4, number(1, 1) + data(4, number(1, 6))), "function 6"),
    ],
)
def test_invalid_profiles_are_errors(bad, says):
    with pytest.raises(PprofError, match=says):
        pprof_reader.read(bad)


def test_gzip_bomb_is_an_error(monkeypatch):
    monkeypatch.setattr(pprof_reader, "MAX_BYTES", 1 << 20)
    z = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    bomb = z.compress(bytes(64 << 20)) + z.flush()
    with pytest.raises(PprofError, match="longer than"):
        pprof_reader.read(bomb)


def test_damaged_profiles_raise_nothing_else():
    good = example()
    numbers = random.Random(1)
    for n in range(len(good)):
        for bad in (
            good[:n],
            good[:n] + bytes([good[n] ^ 0xFF]) + good[n + 1 :],
            good[:n] + bytes([numbers.randrange(256)]) + good[n + 1 :],
        ):
            try:
                pprof_reader.read(bad)
            except PprofError:
                pass
