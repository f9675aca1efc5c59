#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Elements that make threads, open libraries or load plugins at awkward times.

usage: run-starting.py PROGRAM SLOW-START.so LIBRARY-TO-OPEN.so; prints TAP

PROGRAM CASE is one application (starting.c). GST_PLUGIN_PATH names the folders
of the tracer and of the elements.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import pprof_reader  # noqa: E402


def play(case, **variables):
    """Returns CPU ms by (thread, pipeline, element, attribution)."""
    with tempfile.TemporaryDirectory() as folder:
        tracer = f'pyroscope(server-url="",output-dir={folder},sample-rate=1000)'
        subprocess.run([sys.argv[1], case], check=True, timeout=120,
                       env={**os.environ, "GST_TRACERS": tracer, **variables})
        cpu = Counter()
        for path in Path(folder).glob("*.pb.gz"):
            profile = pprof_reader.read(path)
            value = profile.value_index("cpu")
            for sample in profile.samples:
                keys = ("thread", "pipeline", "element", "attribution")
                cpu[tuple(sample.labels.get(key, "") for key in keys)] \
                    += sample.values[value] / 1e6
        return cpu


def add_up(cpu, **wanted):
    names = ("thread", "pipeline", "element", "attribution")
    return sum(ms for key, ms in cpu.items()
               if all(dict(zip(names, key))[name] == value
                      for name, value in wanted.items()))


def add_up_workers(cpu, **wanted):
    """What no sample saw of a thread that has one element is that one's."""
    return sum(add_up(cpu, attribution=attribution, **wanted)
               for attribution in ("inherited", "unsampled"))


def judge_together(cpu, each):
    """EACH: what a pipeline's two workers use, in ms."""
    for i in range(3):
        ms = add_up_workers(cpu, pipeline=f"pipeline-{i}")
        if ms < each * .8:
            return f"pipeline-{i}'s workers have {ms:.0f} ms of {each}"
    own = sum(ms for key, ms in cpu.items() if key[0].startswith("pyro-"))
    none = add_up(cpu, element="") - own
    whole = sum(cpu.values()) - own
    return f"{none:.0f} of {whole:.0f} ms have none" if none > whole * .02 else None


def judge_opens(cpu):
    """Two threads of 500 ms each; until the tables are made they have no stack,
    and nobody is named."""
    ms = add_up_workers(cpu, thread="constructed", element="left")
    others = add_up(cpu, thread="constructed", element="right")
    return (f"{ms:.0f} ms of 1000, {others:.0f} ms are another's"
            if ms < 700 or others > 0 else None)


def judge_loads(cpu):
    """300 ms for loading; identity does next to nothing. On a busy machine the
    thread may have begun before it is sampled."""
    loading = add_up(cpu, element="(plugin loading)")
    unsampled = add_up(cpu, element="", attribution="unsampled")
    innocent = add_up(cpu, element="innocent")
    return (f"{loading:.0f} ms for loading, {unsampled:.0f} ms not sampled, "
            f"{innocent:.0f} ms are identity's"
            if loading < 100 or loading + unsampled < 280 or innocent > 20
            else None)


def main():
    preload = {"LD_PRELOAD": sys.argv[2]}
    opened = {"LIBRARY_TO_OPEN": sys.argv[3]}
    cases = [
        ("pipelines that start together keep their threads' owners",
         "together", {}, lambda cpu: judge_together(cpu, 400)),
        ("however long it takes to start the profiler",
         "together-for-long", preload, lambda cpu: judge_together(cpu, 2000)),
        ("threads that a library's constructor makes are whose element opened it",
         "opens", opened, judge_opens),
        ("the loading of a plugin is not the work of who needed it",
         "loads", {}, judge_loads),
    ]
    # GStreamer looks at all plugins first, and crashes with some of them: the
    # registry has to be there before anything is measured.
    for _ in range(5):
        done = subprocess.run([sys.argv[1]], check=False,
                              stderr=subprocess.DEVNULL,
                              env={**os.environ, "GST_TRACERS": ""})
        if done.returncode >= 0:
            break
    failed = False
    print(f"1..{len(cases)}", flush=True)
    for i, (title, case, variables, judge) in enumerate(cases, 1):
        cpu = play(case, **variables)
        fault = judge(cpu)
        failed |= fault is not None
        print(f"{'not ok' if fault else 'ok'} {i} {title}", flush=True)
        if fault:
            print(f"# {fault}")
            for key, ms in cpu.most_common(20):
                print(f"#   {ms:8.1f} ms {key}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
