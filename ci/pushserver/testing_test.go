// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"log"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/push/v1/pushv1connect"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	"google.golang.org/protobuf/proto"
)

const (
	cpuType     = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
	samplesType = "process_cpu:samples:count:cpu:nanoseconds"
)

// testNow is the servers' time in tests.
var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture is a running server and clients made by the API's own generator.
type fixture struct {
	*server
	url   string
	push  pushv1connect.PusherServiceClient
	query querierv1connect.QuerierServiceClient
}

func start(t *testing.T, change ...func(*server)) *fixture {
	t.Helper()
	s := newServer(defaultLimits())
	s.now = func() time.Time { return testNow }
	s.log = log.New(testWriter{t}, "", 0)
	for _, c := range change {
		c(s)
	}
	h := httptest.NewServer(s.handler(""))
	t.Cleanup(h.Close)
	return &fixture{
		server: s,
		url:    h.URL,
		push: pushv1connect.NewPusherServiceClient(h.Client(), h.URL,
			connect.WithSendGzip()),
		query: querierv1connect.NewQuerierServiceClient(h.Client(), h.URL),
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

// sample is one line of a test profile. Stacks are root first.
type sample struct {
	stack  []string
	values []int64
	labels map[string]string
}

// cpuProfile has the sample types samples:count and cpu:nanoseconds.
func cpuProfile(samples ...sample) *profile.Profile {
	m := &profile.Mapping{
		ID: 1, Start: 0x1000, Limit: 0x9000, File: "/usr/lib/libx.so",
		BuildID: "0123abcd", HasFunctions: true,
	}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{
			{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"},
		},
		PeriodType:    &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Period:        10_000_000,
		TimeNanos:     testNow.UnixNano(),
		DurationNanos: int64(10 * time.Second),
		Mapping:       []*profile.Mapping{m},
	}
	locations := make(map[string]*profile.Location)
	for _, s := range samples {
		ps := &profile.Sample{Value: s.values}
		for i := len(s.stack) - 1; i >= 0; i-- {
			name := s.stack[i]
			l, ok := locations[name]
			if !ok {
				f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
				l = &profile.Location{
					ID: uint64(len(p.Location) + 1), Mapping: m,
					Address: 0x1000 + uint64(len(p.Location)),
					Line:    []profile.Line{{Function: f, Line: 7}},
				}
				locations[name] = l
				p.Function = append(p.Function, f)
				p.Location = append(p.Location, l)
			}
			ps.Location = append(ps.Location, l)
		}
		for k, v := range s.labels {
			if ps.Label == nil {
				ps.Label = make(map[string][]string)
			}
			ps.Label[k] = []string{v}
		}
		p.Sample = append(p.Sample, ps)
	}
	return p
}

func encode(t *testing.T, p *profile.Profile) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.WriteUncompressed(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// encodeChanged encodes a profile after a change that google's library would
// not let through.
func encodeChanged(t *testing.T, p *profile.Profile, change func(*googlev1.Profile)) []byte {
	t.Helper()
	pb := &googlev1.Profile{}
	if err := proto.Unmarshal(encode(t, p), pb); err != nil {
		t.Fatal(err)
	}
	change(pb)
	b, err := proto.Marshal(pb)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	if _, err := gz.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pairs makes labels of name, value, name, value …
func pairs(namesAndValues ...string) []*typesv1.LabelPair {
	var ls []*typesv1.LabelPair
	for i := 0; i < len(namesAndValues); i += 2 {
		ls = append(ls, &typesv1.LabelPair{
			Name: namesAndValues[i], Value: namesAndValues[i+1],
		})
	}
	return ls
}

func request(raw []byte, ls []*typesv1.LabelPair) *connect.Request[pushv1.PushRequest] {
	return connect.NewRequest(&pushv1.PushRequest{Series: []*pushv1.RawProfileSeries{{
		Labels:  ls,
		Samples: []*pushv1.RawSample{{RawProfile: raw, ID: "test"}},
	}}})
}

func (f *fixture) pushRaw(raw []byte, ls []*typesv1.LabelPair) error {
	_, err := f.push.Push(context.Background(), request(raw, ls))
	return err
}

// mustPush pushes a profile as process_cpu of a service.
func (f *fixture) mustPush(t *testing.T, p *profile.Profile, service string) {
	t.Helper()
	err := f.pushRaw(gzipped(t, encode(t, p)),
		pairs("__name__", "process_cpu", "service_name", service))
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, want connect.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if got := connect.CodeOf(err); got != want {
		t.Fatalf("error is %s, want %s: %v", got, want, err)
	}
}
