# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads pprof profiles for tests.

A decoder of its own, from the format's description (profile.proto of
google/pprof) and the protobuf wire format, so that the tests do not trust
the project's own reader. Standard library only. What is not a valid profile
raises PprofError.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Callable, Iterator

# A profile in a test is a few megabytes; more than this is an error.
MAX_BYTES = 256 << 20


class PprofError(Exception):
    """The data is no valid pprof profile."""


@dataclass(frozen=True)
class Mapping:
    id: int
    start: int
    limit: int
    offset: int
    filename: str
    build_id: str
    has_functions: bool
    has_filenames: bool
    has_line_numbers: bool
    has_inline_frames: bool


@dataclass(frozen=True)
class Frame:
    """One function on a stack. A location without a line is one frame with
    an empty function name."""

    function: str
    system_name: str
    filename: str
    line: int
    address: int
    mapping: Mapping | None


@dataclass
class Sample:
    frames: list[Frame]  # leaf first, inlined functions included
    values: list[int]  # one for each of the profile's sample types
    labels: dict[str, str]
    num_labels: dict[str, int]

    @property
    def stack(self) -> tuple[str, ...]:
        """Names of the functions, root first."""
        return tuple(f.function for f in reversed(self.frames))


@dataclass
class Profile:
    sample_types: list[tuple[str, str]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    mappings: list[Mapping] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    period_type: tuple[str, str] | None = None
    period: int = 0
    time_nanos: int = 0
    duration_nanos: int = 0
    default_sample_type: str = ""
    drop_frames: str = ""
    keep_frames: str = ""

    def value_index(self, sample_type: str) -> int:
        """Index of a sample type, by its name, in a sample's values."""
        for i, (name, _unit) in enumerate(self.sample_types):
            if name == sample_type:
                return i
        raise KeyError(f"no sample type {sample_type!r} among {self.sample_types}")

    def total(self, sample_type: str) -> int:
        i = self.value_index(sample_type)
        return sum(s.values[i] for s in self.samples)

    def by_label(self, label: str, sample_type: str) -> dict[str, int]:
        """Total for each value of a label; "" is for samples without it."""
        i = self.value_index(sample_type)
        totals: dict[str, int] = defaultdict(int)
        for s in self.samples:
            totals[s.labels.get(label, "")] += s.values[i]
        return dict(totals)

    def by_stack(self, sample_type: str) -> dict[tuple[str, ...], int]:
        """Total for each stack of function names, root first."""
        i = self.value_index(sample_type)
        totals: dict[tuple[str, ...], int] = defaultdict(int)
        for s in self.samples:
            totals[s.stack] += s.values[i]
        return dict(totals)


def read(source: bytes | str | PathLike[str]) -> Profile:
    """Reads a profile, gzipped or not, from bytes or from a file's path."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data)
    if not data:
        raise PprofError("the profile is empty")
    try:
        return _Decoder(data).profile()
    except UnicodeDecodeError as e:
        raise PprofError(f"a string is not UTF-8: {e}") from e


def _gunzip(data: bytes) -> bytes:
    plain = b""
    while data:  # a gzip file is one or more members
        z = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            plain += z.decompress(data, MAX_BYTES + 1 - len(plain))
        except zlib.error as e:
            raise PprofError(f"gzip: {e}") from e
        if len(plain) > MAX_BYTES:
            raise PprofError(f"longer than {MAX_BYTES} bytes when decompressed")
        if not z.eof:
            raise PprofError("gzip: the data is cut off")
        data = z.unused_data
    return plain


# Protobuf's wire format: a message is a list of (field number, wire type,
# value); the value is an int for types 0, 1 and 5, bytes for type 2.

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _varint(data: bytes, pos: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if pos >= len(data):
            raise PprofError("cut off inside a number")
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, pos
    raise PprofError("a number longer than 10 bytes")


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    pos = 0
    while pos < len(data):
        tag, pos = _varint(data, pos)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise PprofError("a field with the number 0")
        if wire == _VARINT:
            value, pos = _varint(data, pos)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, pos = _varint(data, pos)
        elif wire == _FIXED64:
            size = 8
        elif wire == _FIXED32:
            size = 4
        else:
            raise PprofError(f"field {number} has the unknown wire type {wire}")
        if size > len(data) - pos:
            raise PprofError(f"cut off inside field {number}")
        raw = data[pos : pos + size]
        pos += size
        yield number, wire, raw if wire == _BYTES else int.from_bytes(raw, "little")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


class _Message:
    """Fields of one message by number, each with all its values."""

    def __init__(self, data: bytes):
        self._values: dict[int, list[tuple[int, int | bytes]]] = defaultdict(list)
        for number, wire, value in _fields(data):
            self._values[number].append((wire, value))

    def _expect(self, number: int, wires: tuple[int, ...]) -> Iterator[int | bytes]:
        for wire, value in self._values.get(number, ()):
            if wire not in wires:
                raise PprofError(f"field {number} has the wire type {wire}")
            yield value

    def uint(self, number: int) -> int:
        """An unsigned number; the last one counts, 0 where there is none."""
        value = 0
        for value in self._expect(number, (_VARINT,)):
            pass
        return value

    def sint(self, number: int) -> int:
        return _signed(self.uint(number))

    def flag(self, number: int) -> bool:
        return self.uint(number) != 0

    def uints(self, number: int) -> list[int]:
        """Repeated numbers, packed or not."""
        out = []
        for value in self._expect(number, (_VARINT, _BYTES)):
            if not isinstance(value, bytes):
                out.append(value)
                continue
            pos = 0
            while pos < len(value):
                n, pos = _varint(value, pos)
                out.append(n)
        return out

    def sints(self, number: int) -> list[int]:
        return [_signed(n) for n in self.uints(number)]

    def blobs(self, number: int) -> Iterator[bytes]:
        yield from self._expect(number, (_BYTES,))

    def messages(self, number: int) -> Iterator["_Message"]:
        for data in self.blobs(number):
            yield _Message(data)

    def message(self, number: int) -> "_Message | None":
        found = None
        for found in self.messages(number):
            pass
        return found


def _by_id(messages: Iterator[_Message], what: str, make: Callable) -> dict:
    found = {}
    for m in messages:
        number = m.uint(1)
        if number == 0:
            raise PprofError(f"a {what} has the id 0")
        if number in found:
            raise PprofError(f"two {what}s have the id {number}")
        found[number] = make(m)
    return found


class _Decoder:
    """Decodes one profile. Field numbers are those of profile.proto."""

    def __init__(self, data: bytes):
        self._top = _Message(data)
        self._strings = [s.decode("utf-8") for s in self._top.blobs(6)]
        if not self._strings or self._strings[0] != "":
            raise PprofError("string_table[0] is not empty")
        self._mappings = _by_id(self._top.messages(3), "mapping", self._mapping)
        self._functions = _by_id(self._top.messages(5), "function", self._function)
        self._locations = _by_id(self._top.messages(4), "location", self._location)

    def profile(self) -> Profile:
        top = self._top
        period_type = top.message(11)
        p = Profile(
            sample_types=[self._value_type(m) for m in top.messages(1)],
            mappings=list(self._mappings.values()),
            comments=[self._string(i) for i in top.sints(13)],
            period_type=self._value_type(period_type) if period_type else None,
            period=top.sint(12),
            time_nanos=top.sint(9),
            duration_nanos=top.sint(10),
            default_sample_type=self._string(top.sint(14)),
            drop_frames=self._string(top.sint(7)),
            keep_frames=self._string(top.sint(8)),
        )
        for m in top.messages(2):
            p.samples.append(self._sample(m, len(p.sample_types)))
        return p

    def _string(self, index: int) -> str:
        if not 0 <= index < len(self._strings):
            raise PprofError(
                f"string {index} does not exist, there are {len(self._strings)}"
            )
        return self._strings[index]

    def _value_type(self, m: _Message) -> tuple[str, str]:
        return self._string(m.sint(1)), self._string(m.sint(2))

    def _mapping(self, m: _Message) -> Mapping:
        return Mapping(
            id=m.uint(1),
            start=m.uint(2),
            limit=m.uint(3),
            offset=m.uint(4),
            filename=self._string(m.sint(5)),
            build_id=self._string(m.sint(6)),
            has_functions=m.flag(7),
            has_filenames=m.flag(8),
            has_line_numbers=m.flag(9),
            has_inline_frames=m.flag(10),
        )

    def _function(self, m: _Message) -> tuple[str, str, str]:
        """Name, system name, file name."""
        return (
            self._string(m.sint(2)),
            self._string(m.sint(3)),
            self._string(m.sint(4)),
        )

    def _location(self, m: _Message) -> list[Frame]:
        mapping = None
        if mapping_id := m.uint(2):
            mapping = self._get(self._mappings, mapping_id, "mapping")
        address = m.uint(3)
        frames = []
        for line in m.messages(4):
            function = self._get(self._functions, line.uint(1), "function")
            frames.append(Frame(*function, line.sint(2), address, mapping))
        return frames or [Frame("", "", "", 0, address, mapping)]

    def _sample(self, m: _Message, types: int) -> Sample:
        values = m.sints(2)
        if len(values) != types:
            raise PprofError(f"{len(values)} values for {types} sample types")
        s = Sample(frames=[], values=values, labels={}, num_labels={})
        for location in m.uints(1):
            s.frames += self._get(self._locations, location, "location")
        for label in m.messages(3):
            key = self._string(label.sint(1))
            if label.sint(2):
                s.labels[key] = self._string(label.sint(2))
            else:
                s.num_labels[key] = label.sint(3)
        return s

    @staticmethod
    def _get(table: dict, number: int, what: str):
        if number not in table:
            raise PprofError(f"{what} {number} does not exist")
        return table[number]
