# SPDX-License-Identifier: LGPL-2.1-or-later
# `./justw RECIPE` puts in what a recipe needs and runs it; plain `just RECIPE`
# expects it to be there (ci/packages.txt).

set positional-arguments
set no-exit-message

# A Pyroscope server that `demo` pushes to: `just demo server=http://localhost:4040`
server := ""

[private]
default:
    @just --justfile {{ quote(justfile()) }} --list --unsorted

# Profile a real job of about 20 seconds and show where the CPU went (server=URL: push, too)
demo *arguments:
    @exec demo/demo.sh {{ quote("server=" + server) }} "$@"

# Run all tests; the last line counts them
test *arguments:
    @exec ci/test.py "$@"

# Run the end-to-end tests against a real Pyroscope server
test-server url *arguments:
    @exec ci/test.py --server "$@"

# Build the plugin and the tool into target/release
build:
    @ci/build-package.sh gst-pyroscope-tracer release
    @ci/build-package.sh gst-pyroscope-inspect release

# Build one package (gst-pyroscope-tracer, gst-pyroscope-inspect) into target/PROFILE (release, debug, native)
build-package package profile="release":
    @exec ci/build-package.sh "$@"

# Fetch and build a GStreamer with every symbol and line (version=1.26.2: another one)
gstreamer-native version="":
    @exec gstreamer-native/build.sh "$@"

# Run the tests against that GStreamer
test-native *arguments:
    @exec gstreamer-native/test.sh "$@"

# Run GStreamer's own unit tests without our tracer and with it (--no-fork, NAME...: see gstreamer-native/upstream-tests.py)
test-upstream *arguments:
    @exec gstreamer-native/upstream-tests.sh "$@"

# Build for aarch64 and run the tests of unwinding in emulation
test-aarch64 *arguments:
    @exec ci/aarch64.sh "$@"

# Run a command, or a shell, in that GStreamer with our plugin and tool
shell *command:
    @exec gstreamer-native/shell.sh "$@"

# Start a local Pyroscope, and Grafana where it can; Ctrl-C stops it
pyroscope:
    @exec ci/pyroscope.sh

# Measure what tracing and sampling cost, against other tracers (hooks, sampling, --rounds N), or what making threads costs (owners)
bench *arguments:
    @exec ci/bench.sh "$@"

# Measure the cost of the hooks alone
bench-hooks *arguments:
    @exec ci/bench.sh hooks "$@"

# Measure every unwinder on the same stacks of real pipelines (SECONDS for each)
bench-unwind *arguments:
    @exec ci/bench.sh unwind "$@"

# Measure how many frames of five pipelines have a name, and how many names are right (by GStreamer from source)
bench-names *arguments:
    @exec ci/bench.sh names "$@"

# Run the long forms of the tests: minutes of signals, a million stacks, the hazards (some 40 minutes)
stress *arguments:
    @exec ci/test.py --only-slow "$@"

# Feed every parser with mangled input for SECONDS in all, under sanitizers (PARSER...: cfi, profile, settings, elf)
fuzz seconds="60" *parsers:
    @exec ci/fuzz.sh "$@"

# Check formatting, scripts, the build's warnings and the tables made from lists
lint:
    @exec ci/lint.sh

# Format the C and Go code and renew the tables made from lists
format:
    @exec ci/format.sh

# Install the plugin and the tool (prefix=DIR: elsewhere than beside GStreamer)
install *arguments: build
    @exec ci/install.sh "$@"

# Remove everything that was built
clean:
    rm -rf target
