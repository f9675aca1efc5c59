# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes pprof profiles, byte by byte, independently of the code under test."""
import gzip


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


class Profile:
    """A profile that samples are added to."""

    def __init__(self, types=(("samples", "count"), ("cpu", "nanoseconds")),
                 time_ns=1_700_000_000_000_000_000, seconds=10, comments=(),
                 default=None, file="/usr/lib/libdemo.so.1",
                 build_id="c0ffee"):
        self.strings = {b"": 0}
        self.functions = {}
        self.samples = b""
        self.n_samples = 0
        self.types = types
        self.file = file
        self.build_id = build_id
        self.head = b"".join(message(1, self._type(*t)) for t in types)
        self.head += number(9, time_ns) + number(10, seconds * 10**9)
        self.head += message(11, self._type("cpu", "nanoseconds"))
        self.head += number(12, 10_000_000)
        for comment in comments:
            self.head += number(13, self.string(comment))
        if default:
            self.head += number(14, self.string(default))

    def string(self, text):
        if isinstance(text, str):
            text = text.encode()
        return self.strings.setdefault(text, len(self.strings))

    def _type(self, name, unit):
        return number(1, self.string(name)) + number(2, self.string(unit))

    def _location(self, name):
        """An int is an address without a function, a pair a function's name
        and its system name; a third is its address."""
        return self.functions.setdefault(name, len(self.functions) + 1)

    def _label(self, key, value):
        data = number(1, self.string(key))
        if isinstance(value, tuple):
            return data + number(3, value[0]) + number(4, self.string(value[1]))
        return data + number(2, self.string(value))

    def add(self, stack, values, **labels):
        """STACK: names, leaf first. A label is a string, a (number, unit), or
        a list of these."""
        ids = b"".join(varint(self._location(name)) for name in stack)
        data = message(1, ids)
        data += message(2, b"".join(varint(value) for value in values))
        for key, given in labels.items():
            for value in given if isinstance(given, list) else [given]:
                data += message(3, self._label(key, value))
        self.samples += message(2, data)
        self.n_samples += 1
        return self

    def encode(self):
        mapping = (number(1, 1) + number(2, 0x1000) + number(3, 0x90000)
                   + number(5, self.string(self.file))
                   + number(6, self.string(self.build_id)) + number(7, 1))
        tables = message(3, mapping)
        for name, ident in self.functions.items():
            location = number(1, ident) + number(2, 1)
            if isinstance(name, int):
                location += number(3, name)
            else:
                name = name if isinstance(name, tuple) else (name, name)
                name, system, address = (*name, 0x2000 + ident)[:3]
                location += number(3, address)
                location += message(4, number(1, ident) + number(2, 42))
                tables += message(5, number(1, ident)
                                  + number(2, self.string(name))
                                  + number(3, self.string(system))
                                  + number(4, self.string("demo.c")))
            tables += message(4, location)
        strings = b"".join(message(6, text) for text in self.strings)
        return self.head + self.samples + tables + strings

    def write(self, path, zipped=True):
        data = self.encode()
        path.write_bytes(gzip.compress(data) if zipped else data)
        return path


def bomb(size):
    """A gzip file that unpacks to SIZE zero bytes."""
    return gzip.compress(bytes(size))
