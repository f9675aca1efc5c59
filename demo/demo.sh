#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# demo.sh [server=URL]: profiles a real job with the stock gst-launch-1.0 and shows
# where its CPU time went. The job, about 20 seconds however fast the machine
# is: encode 720p video with x264 and audio with Opus into a Matroska file;
# then demux that file, decode it, convert it and scale it up.
. "$(dirname -- "$0")/../ci/common.sh"

encode_seconds=12
decode_seconds=8
service=gst-pyroscope-demo

server=
for argument; do
  case $argument in
    server=) ;;
    server=http://* | server=https://*) server=${argument#server=} ;;
    *) die "'$argument': only server=URL is known, as in" \
      'server=http://localhost:4040' ;;
  esac
done

captures=$target/demo-captures
log=$target/demo.log
inspect=$target/release/gst-pyroscope-inspect

for package in "${packages[@]}"; do
  "$root/ci/build-package.sh" "$package" release
done

media=$(mktemp -d "${TMPDIR:-/tmp}/gst-pyroscope-demo-XXXXXX")
trap 'rm -rf -- "$media"' EXIT
# The pipeline is a process group of its own, so that it gets one Ctrl-C from
# here, which ends its stream properly, and not a second one from the terminal.
pipeline=
stopped=
stop () {
  stopped=yes
  [ -z "$pipeline" ] || kill -s INT "$pipeline" 2>/dev/null || true
}
trap stop INT TERM

rm -rf -- "$captures"
mkdir -p "$captures"
: >"$log"

# What is not given to record are settings by their environment names.
export GST_PYROSCOPE_SERVER_URL=$server GST_PYROSCOPE_TRACER_NAME=$service
export GST_DEBUG=pyroscope:4 GST_DEBUG_NO_COLOR=1

# profile JOB SECONDS ELEMENT...: the pipeline until its end, but no longer
profile () {
  local job=$1 seconds=$2 status=0 second
  shift 2
  [ -z "$stopped" ] || return 0
  printf '%s: gst-pyroscope-inspect record -- gst-launch-1.0 -e %s\n' \
    "$job" "$*"
  set -m
  GST_PYROSCOPE_TAGS=job=$job \
    timeout --foreground -s INT -k 30 "$seconds" \
    "$inspect" record -o "$captures" -- gst-launch-1.0 -e "$@" \
    >>"$log" 2>&1 </dev/null &
  pipeline=$!
  set +m
  for ((second = 0; ; second++)); do
    kill -0 "$pipeline" 2>/dev/null || break
    [ ! -t 1 ] || printf '\r%s: %d s of at most %d' "$job" "$second" "$seconds"
    sleep 1 || true
  done
  wait "$pipeline" || status=$?
  pipeline=
  [ ! -t 1 ] || printf '\r%s: done in %d s          \n' "$job" "$second"
  # 124: its time was up, the intended end.
  [ "$status" = 0 ] || [ "$status" = 124 ] || [ -n "$stopped" ] \
    || fail "the pipeline ended with status $status"
}

fail () {
  tail -n 20 -- "$log" >&2
  die "$*; all of the pipelines' output: $log"
}

profile encode "$encode_seconds" \
  videotestsrc pattern=ball \
  ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1 \
  ! queue ! x264enc threads=4 ! matroskamux name=mux \
  ! filesink location="$media/demo.mkv" \
  audiotestsrc wave=pink-noise ! audio/x-raw,rate=44100,channels=2 \
  ! audioconvert ! audioresample ! opusenc ! queue ! mux.

profile decode "$decode_seconds" \
  filesrc location="$media/demo.mkv" ! matroskademux name=demux \
  demux. ! queue ! avdec_h264 max-threads=4 ! videoconvert \
  ! video/x-raw,format=BGRx ! videoscale \
  ! video/x-raw,width=1920,height=1080 ! fakesink \
  demux. ! queue ! opusdec ! audioconvert ! audioresample \
  ! audio/x-raw,rate=44100 ! fakesink

if [ -n "$stopped" ]; then
  echo 'demo: stopped' >&2
  exit 130
fi

samples=$("$inspect" summary --format json "$captures" \
  | sed -n 's/.*"stored_samples": *\([0-9]*\).*/\1/p' | head -n 1)
[ "${samples:-0}" -gt 0 ] || fail "no sample in $captures"

echo
"$inspect" summary "$captures"
echo
"$inspect" top --by element -n 12 "$captures"
echo
"$inspect" top --by function -n 15 "$captures"

# Warnings of the tracer are about pushing, or about the profile itself.
if grep -E ' (WARN|ERROR) +pyroscope ' "$log" >&2; then
  [ -z "$server" ] || fail "pushing to $server did not go well"
fi
if [ -n "$server" ]; then
  printf '\nPushed: %s/?query=%s\n' "${server%/}" "$(printf %s \
    "process_cpu%3Acpu%3Ananoseconds%3Acpu%3Ananoseconds" \
    "%7Bservice_name%3D%22$service%22%7D")"
fi

tool=target/release/gst-pyroscope-inspect
cat <<END

The captures are in $captures. Try next, in $root:
  $tool top --by thread --filter element=x264enc0 target/demo-captures
  $tool folded target/demo-captures >demo.folded   # for any flame graph viewer
  $tool record -- gst-launch-1.0 …   # a pipeline of yours
END
