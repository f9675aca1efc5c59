# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes small pprof profiles, valid and invalid ones, for tests of the
tests' own tools. The profiles of the project come from its tracer."""

from __future__ import annotations

import time


def varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def data(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


class Writer:
    """Collects samples and encodes them. Stacks are function names, root
    first; each name is one function at one location of one mapping."""

    def __init__(
        self, sample_types: list[tuple[str, str]], time_nanos: int | None = None
    ):
        self._strings = {"": 0}
        self._functions: dict[str, int] = {}
        self._samples: list[bytes] = []
        self._types = sample_types
        self.time_nanos = time.time_ns() if time_nanos is None else time_nanos
        self.comments: list[str] = []
        self.packed = True

    def string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def add(
        self,
        stack: list[str],
        values: list[int],
        labels: dict[str, str] | None = None,
        num_labels: dict[str, int] | None = None,
    ) -> None:
        ids = [
            self._functions.setdefault(name, len(self._functions) + 1)
            for name in reversed(stack)
        ]
        out = self._repeated(1, ids) + self._repeated(2, values)
        for k, v in (labels or {}).items():
            out += data(3, number(1, self.string(k)) + number(2, self.string(v)))
        for k, n in (num_labels or {}).items():
            out += data(3, number(1, self.string(k)) + number(3, n))
        self._samples.append(out)

    def _repeated(self, field: int, values: list[int]) -> bytes:
        if self.packed:
            return data(field, b"".join(varint(v) for v in values))
        return b"".join(number(field, v) for v in values)

    def _value_type(self, field: int, kind: tuple[str, str]) -> bytes:
        name, unit = kind
        return data(field, number(1, self.string(name)) + number(2, self.string(unit)))

    def encode(self) -> bytes:
        out = b"".join(self._value_type(1, t) for t in self._types)
        out += b"".join(data(2, s) for s in self._samples)
        out += data(
            3,
            number(1, 1)
            + number(2, 0x1000)
            + number(3, 0x9000)
            + number(4, 0x200)
            + number(5, self.string("/usr/lib/libx.so"))
            + number(6, self.string("0123abcd"))
            + number(7, 1),
        )
        for name, i in self._functions.items():
            line = number(1, i) + number(2, 10 + i)
            out += data(
                4, number(1, i) + number(2, 1) + number(3, 0x1000 + i) + data(4, line)
            )
            out += data(
                5,
                number(1, i)
                + number(2, self.string(name))
                + number(3, self.string("_Z" + name))
                + number(4, self.string(name + ".c")),
            )
        out += number(9, self.time_nanos) + number(10, 10_000_000_000)
        out += self._value_type(11, ("cpu", "nanoseconds")) + number(12, 10_000_000)
        for c in self.comments:
            out += number(13, self.string(c))
        out += number(14, self.string(self._types[-1][0]))
        return out + b"".join(data(6, s.encode()) for s in self._strings)
