# SPDX-License-Identifier: LGPL-2.1-or-later
"""All capture files of a folder, added up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Callable

import pprof_reader


# CPU time without samples: the profiler's own threads, and what ran before a
# thread had its timer.
NO_STACK = ("[gst-pyroscope]", "[not sampled")


class Captures:
    def __init__(self, folder: Path):
        self.folder = folder
        # What is in a folder that does not exist, or is not finished yet.
        everything = sorted(folder.iterdir()) if folder.is_dir() else []
        self.files = [p for p in everything if p.name.endswith(".pb.gz")]
        self.others = [p for p in everything if p not in self.files]
        self.profiles = [pprof_reader.read(p) for p in self.files]

    def total(self, sample_type: str = "cpu") -> int:
        return sum(p.total(sample_type) for p in self.profiles)

    def sampled_ns(self) -> int:
        """CPU time of samples that were taken."""
        return sum(
            cpu
            for stack, cpu in self.by_stack("cpu").items()
            if not stack[-1].startswith(NO_STACK)
        )

    def by_label(self, label: str, sample_type: str = "cpu") -> dict[str, int]:
        """"" is for samples without the label."""
        return self._add(lambda p: p.by_label(label, sample_type))

    def by_stack(self, sample_type: str = "cpu") -> dict[tuple[str, ...], int]:
        return self._add(lambda p: p.by_stack(sample_type))

    def by_function(self, sample_type: str = "cpu") -> dict[str, int]:
        """Self value for each function."""
        totals: Counter[str] = Counter()
        for stack, value in self.by_stack(sample_type).items():
            totals[stack[-1]] += value
        return dict(totals)

    def label_names(self) -> set[str]:
        return {name for p in self.profiles for s in p.samples for name in s.labels}

    def comment(self, key: str) -> str:
        """The value of a comment KEY=value, the same in all files."""
        (value,) = {self._comments(p)[key] for p in self.profiles}
        return value

    def counter(self, key: str) -> int:
        """The sum of a comment KEY=number."""
        return sum(int(self._comments(p)[key]) for p in self.profiles)

    @property
    def series(self) -> dict[str, str]:
        """The series' labels, as the first file tells them."""
        prefix = "series."
        return {
            k.removeprefix(prefix): v
            for k, v in self._comments(self.profiles[0]).items()
            if k.startswith(prefix)
        }

    @staticmethod
    def _comments(profile: pprof_reader.Profile) -> dict[str, str]:
        return dict(c.split("=", 1) for c in profile.comments)

    def _add(self, ask: Callable[[pprof_reader.Profile], dict]) -> dict:
        totals: Counter = Counter()
        for profile in self.profiles:
            totals.update(ask(profile))
        return dict(totals)
