#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tracers cost: CPU time of gst-launch-1.0 under each of them.

bench-cost.py hooks     per buffer, in pipelines that do nothing else
bench-cost.py sampling  as a share, in a pipeline that burns CPU all the time

Runs are interleaved: in each round every tracer has one run, in an order that
changes from round to round. The figure of a round is the ratio or difference
to the run without a tracer in the same round; printed are medians and
quartiles over the rounds. --peer compares with the plugin of another build.
"""
import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

ELEMENTS = 10


def cpu_seconds(command, environment):
    """User and system time of COMMAND, run to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime
            + after.ru_stime - before.ru_stime)


class Bench:
    def __init__(self, tracers, rounds, peers=None):
        """PEERS: {name: folder of that tracer's plugin}, else this build's"""
        self.tracers = tracers
        self.rounds = rounds
        self.peers = peers or {}
        self.folder = tempfile.mkdtemp(prefix="bench-cost-")
        self.environment = dict(os.environ, GST_DEBUG_NO_COLOR="1")
        self.environment.pop("GST_DEBUG", None)

    def run(self, name, pipeline):
        environment = dict(self.environment)
        if name in self.peers:
            environment["GST_PLUGIN_PATH"] = self.peers[name]
            environment["GST_REGISTRY"] = os.path.join(
                self.folder, f"registry-{list(self.peers).index(name)}.bin")
            if not os.path.exists(environment["GST_REGISTRY"]):
                self.check(environment)
        tracer = self.tracers[name]
        environment.pop("GST_TRACERS", None)
        if tracer:
            environment["GST_TRACERS"] = tracer.format(folder=self.folder)
        if tracer in ("stats", "latency(flags=pipeline+element)"):
            # They tell what they find by logging it.
            environment["GST_DEBUG"] = "GST_TRACER:7"
            environment["GST_DEBUG_FILE"] = os.devnull
        return cpu_seconds(["gst-launch-1.0", "-q"] + pipeline.split(),
                           environment)

    @staticmethod
    def check(environment, tracer="pyroscope"):
        """Ends the program where TRACER is not found; makes the registry."""
        if subprocess.run(["gst-inspect-1.0", tracer], env=environment,
                          stdout=subprocess.DEVNULL,
                          check=False).returncode != 0:
            sys.exit(f'bench-cost: no tracer "{tracer}" in GST_PLUGIN_PATH='
                     f'{environment.get("GST_PLUGIN_PATH")}: name the folder '
                     "of the plugin, of a build with -Dbenchmarks=enabled")

    def interleave(self, measure):
        """{name: [MEASURE(name) of each round]}"""
        results = {name: [] for name in self.tracers}
        for index in range(self.rounds):
            names = list(self.tracers)
            random.Random(index).shuffle(names)
            for name in names:
                results[name].append(measure(name))
            print(f"round {index + 1} of {self.rounds}", file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)
        return results


def quartiles(values):
    q = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return statistics.median(values), q[0], q[2]


OURS = "pyroscope(server-url=,output-dir={folder}"

# What a buffer passes; how often it is pushed; the slow tracers have but one.
PATHS = {
    "chain": ("fakesrc num-buffers={} ! " + "identity ! " * ELEMENTS
              + "fakesink", ELEMENTS + 1),
    "queue": ("fakesrc num-buffers={} ! queue ! fakesink", 2),
    "tee": ("fakesrc num-buffers={} ! tee name=t ! fakesink async=false "
            "t. ! fakesink async=false", 3),
}
SLOW = ("stats", "latency")


def hooks(arguments):
    tracers = {
        "none": None,
        "empty, same hooks": "empty",
        "pyroscope": OURS + ")",
        "without thread-owners": OURS + ",thread-owners=false)",
        "pyroscope, 1000 Hz": OURS + ",sample-rate=1000)",
        "stats": "stats",
        "latency": "latency(flags=pipeline+element)",
    }
    if arguments.quick:
        tracers = {k: v for k, v in tracers.items() if k not in SLOW}
    peers = dict(arguments.peer)
    tracers.update({name: OURS + ")" for name in peers})
    bench = Bench(tracers, arguments.rounds, peers)
    paths = [arguments.path] if arguments.path else list(PATHS)

    def measure(name):
        # The slope: what a process costs once (start-up, unwind tables,
        # symbols at the end) is in both runs. The slow ones get fewer buffers;
        # all paths have as many pushes.
        slopes = {}
        for path in paths:
            if name in SLOW and path != "chain":
                continue
            pipeline, pushes = PATHS[path]
            count = arguments.buffers * (ELEMENTS + 1) // pushes
            if name in SLOW:
                count //= 10
            slopes[path] = (bench.run(name, pipeline.format(3 * count))
                            - bench.run(name, pipeline.format(count))
                            ) / (2 * count) * 1e9
        return slopes

    results = bench.interleave(measure)
    for path in paths:
        pipeline, pushes = PATHS[path]
        print(f"{pipeline}: {pushes} pushes, {arguments.rounds} rounds")
        print(f"{'tracer':21} {'CPU ns/buffer':>14} {'quartiles':>17} "
              f"{'more than none':>15} {'more than empty, ns/push':>25}")
        none, empty = ([values[path] for values in results[name]]
                       for name in ("none", "empty, same hooks"))
        for name, measured in results.items():
            values = [each[path] for each in measured if path in each]
            if not values:
                continue
            median, low, high = quartiles(values)

            def more(bases):
                return statistics.median((value - base) / pushes
                                         for value, base in zip(values, bases))

            print(f"{name:21} {median:14.0f} {low:8.0f}-{high:<8.0f} "
                  + (f"{more(none):15.1f}" if name != "none" else "")
                  + (f" {more(empty):25.1f}"
                     if name not in ("none", "empty, same hooks") else ""))


def sampling(arguments):
    bench = Bench({
        "none": None,
        "empty, same hooks": "empty",
        "pyroscope": OURS + ")",
        "pyroscope, 1000 Hz": OURS + ",sample-rate=1000)",
        "frame pointers": OURS + ",unwinder=frame-pointers)",
    }, arguments.rounds)
    count = arguments.buffers // 100
    pipeline = ("videotestsrc num-buffers={} ! "
                "video/x-raw,width=1280,height=720 ! queue ! "
                "videoconvert n-threads=1 ! video/x-raw,format=RGBA ! "
                "videoscale ! video/x-raw,width=640 ! fakesink")

    def measure(name):
        short = bench.run(name, pipeline.format(count))
        return short, bench.run(name, pipeline.format(3 * count)) - short

    results = bench.interleave(measure)
    print(f"{pipeline.format(count)}, {arguments.rounds} rounds")
    print(f"{'tracer':20} {'CPU s':>7} {'once, ms':>9} "
          f"{'ratio to none':>14} {'quartiles':>17}")
    for name, values in results.items():
        ratios = [slope / base for (_, slope), (_, base)
                  in zip(values, results["none"])]
        # What two thirds of the long run do not explain is paid once.
        once = statistics.median(
            (short - slope / 2) - (base_short - base_slope / 2)
            for (short, slope), (base_short, base_slope)
            in zip(values, results["none"]))
        median, low, high = quartiles(ratios)
        print(f"{name:20} {statistics.median(v[1] for v in values):7.2f} "
              f"{once * 1e3:9.0f} {median:14.4f} {low:8.4f}-{high:<8.4f}")


def peer(argument):
    name, equals, folder = argument.partition("=")
    if not (name and equals and os.path.isdir(folder)):
        raise argparse.ArgumentTypeError(
            f'"{argument}" is not NAME=FOLDER with a folder that exists')
    return name, os.path.abspath(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["hooks", "sampling"])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--buffers", type=int, default=200000)
    parser.add_argument("--path", choices=PATHS, help="only this one")
    parser.add_argument("--quick", action="store_true",
                        help="without the slow tracers")
    parser.add_argument("--peer", action="append", default=[], type=peer,
                        metavar="NAME=FOLDER",
                        help="hooks: our tracer of another build, too; FOLDER "
                        "has its plugin")
    arguments = parser.parse_args()
    for tracer in ("pyroscope", "empty"):
        Bench.check(os.environ, tracer)
    {"hooks": hooks, "sampling": sampling}[arguments.what](arguments)


if __name__ == "__main__":
    main()
