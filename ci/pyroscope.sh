#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a Pyroscope server on this machine until Ctrl-C: the binary that
# PYROSCOPE or PATH names, else a container. Its data go when it ends.
. "$(dirname -- "$0")/common.sh"

port=${PYROSCOPE_PORT:-4040}
url=http://127.0.0.1:$port

# answers PORT: does anything listen there?
answers () {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# free_port: an odd chance of another taking it first is accepted.
free_port () {
  local try
  while :; do
    try=$((20000 + RANDOM % 20000))
    answers "$try" || break
  done
  printf '%s\n' "$try"
}

# ready PATH: waits until the server says so; false if it ended before.
ready () {
  local left
  for ((left = 240; left > 0; left--)); do
    kill -0 "$server" 2>/dev/null || return 1
    if { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; then
      printf 'GET /ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
      if read -r -t 5 line <&3 && [[ $line == HTTP/*' 200 '* ]]; then
        exec 3>&-
        return
      fi
      exec 3>&-
    fi
    sleep 0.5
  done
  return 1
}

data=$(mktemp -d "${TMPDIR:-/tmp}/gst-pyroscope-server-XXXXXX")
server=
finish () {
  trap '' INT TERM
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" || true
  rm -rf -- "$data"
}
trap finish EXIT
trap 'exit 0' INT TERM

! answers "$port" \
  || die "port $port is taken; PYROSCOPE_PORT names another one"

binary=${PYROSCOPE:-$(command -v pyroscope || true)}
engine=$(command -v docker || command -v podman || true)
if [ -n "$binary" ]; then
  [ -x "$binary" ] || die "PYROSCOPE=$binary is not a program"
  grpc=$(free_port) members=$(free_port) raft=$(free_port)
  # One process with everything in it, and nothing of it beyond this machine.
  "$binary" -target=all \
    -architecture.storage=v2 -storage.backend=filesystem \
    -storage.filesystem.dir="$data/storage" \
    -usage-stats.enabled=false -self-profiling.disable-push=true \
    -server.http-listen-address=127.0.0.1 -server.http-listen-port="$port" \
    -server.grpc-listen-address=127.0.0.1 -server.grpc-listen-port="$grpc" \
    -memberlist.bind-addr=127.0.0.1 -memberlist.advertise-addr=127.0.0.1 \
    -memberlist.bind-port="$members" \
    -distributor.ring.instance-addr=127.0.0.1 \
    -overrides-exporter.ring.instance-addr=127.0.0.1 \
    -query-frontend.instance-addr=127.0.0.1 \
    -segment-writer.lifecycler.addr=127.0.0.1 \
    -segment-writer.min-ready-duration=0 -metastore.min-ready-duration=0 \
    -metastore.address="127.0.0.1:$grpc" \
    -query-backend.address="127.0.0.1:$grpc" \
    -metastore.raft.bind-address="127.0.0.1:$raft" \
    -metastore.raft.advertise-address="127.0.0.1:$raft" \
    -metastore.raft.server-id="127.0.0.1:$raft" \
    -metastore.raft.dir="$data/raft" \
    -metastore.raft.snapshots-dir="$data/raft" \
    -metastore.data-dir="$data/metastore" >"$data/log" 2>&1 &
  server=$!
  log=$data/log
elif [ -n "$engine" ] && "$engine" info >/dev/null 2>&1; then
  # Grafana and Pyroscope in one image. The client passes signals on.
  image=${PYROSCOPE_IMAGE:-docker.io/grafana/otel-lgtm}
  echo "starting $image with ${engine##*/} (a first start fetches it)"
  "$engine" run --rm --name "gst-pyroscope-$$" \
    -p "127.0.0.1:$port:4040" -p 127.0.0.1:3000:3000 "$image" \
    >"$data/log" 2>&1 </dev/null &
  server=$!
  log=$data/log
  grafana=http://127.0.0.1:3000
else
  die "no Pyroscope here. Either of these will do:
  - the server's binary, from Grafana's releases of Pyroscope, in PATH or
    named by PYROSCOPE=/path/to/pyroscope
  - Docker or Podman, for the image grafana/otel-lgtm (or PYROSCOPE_IMAGE)
A server elsewhere needs no recipe: give its URL as server-url."
fi

if ! ready; then
  tail -n 20 "$log" >&2
  die "the server did not become ready at $url"
fi
echo "Pyroscope: $url"
[ -z "${grafana-}" ] || echo "Grafana:   $grafana"
echo 'Ctrl-C stops it; what it has stored goes with it.'
wait "$server" || true
die 'the server ended by itself'
