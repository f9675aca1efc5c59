// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	"google.golang.org/protobuf/proto"
)

func one() *profile.Profile {
	return cpuProfile(sample{[]string{"main", "work"}, []int64{1, 10}, nil})
}

func named(more ...string) []*typesv1.LabelPair {
	return pairs(append([]string{"__name__", "process_cpu", "service_name", "s"}, more...)...)
}

func numberedLabels(n int) []string {
	var ls []string
	for i := range n {
		ls = append(ls, fmt.Sprintf("l%d", i), "v")
	}
	return ls
}

// Each rule at its limit and just past it.
func TestLabelLimits(t *testing.T) {
	withSampleLabel := func(name, value string) *profile.Profile {
		return cpuProfile(sample{
			[]string{"main"}, []int64{1, 10}, map[string]string{name: value}})
	}
	cases := []struct {
		name   string
		p      *profile.Profile
		labels []*typesv1.LabelPair
		ok     bool
	}{
		{"without labels", one(), nil, false},
		{"without a name", one(), pairs("service_name", "s"), false},
		{"with a name that is no metric name", one(), pairs("__name__", "process-cpu"), false},
		{"without a service name", one(), pairs("__name__", "process_cpu"), true},
		{"30 labels", one(), named(numberedLabels(28)...), true},
		{"31 labels", one(), named(numberedLabels(29)...), false},
		{"29 and a sample label", withSampleLabel("element", "e"), named(numberedLabels(27)...), true},
		{"30 and a sample label", withSampleLabel("element", "e"), named(numberedLabels(28)...), false},
		{"30 and the same sample label", withSampleLabel("l1", "e"), named(numberedLabels(28)...), true},
		{"29 and a service name by default", one(),
			pairs(append([]string{"__name__", "n"}, numberedLabels(28)...)...), true},
		{"30 and a service name by default", one(),
			pairs(append([]string{"__name__", "n"}, numberedLabels(29)...)...), false},
		{"name of 1024 bytes", one(), named(strings.Repeat("n", 1024), "v"), true},
		{"name of 1025 bytes", one(), named(strings.Repeat("n", 1025), "v"), false},
		{"value of 2048 bytes", one(), named("n", strings.Repeat("v", 2048)), true},
		{"value of 2049 bytes", one(), named("n", strings.Repeat("v", 2049)), false},
		{"sample label value of 2049 bytes", withSampleLabel("n", strings.Repeat("v", 2049)), named(), false},
		{"a label twice", one(), named("n", "v", "n", "w"), false},
		{"a label twice, once empty", one(), named("n", "v", "n", ""), true},
		{"31 labels, one empty", one(), named(append(numberedLabels(28), "e", "")...), true},
		{"name with a dot", one(), named("a.b", "v"), false},
		{"name with a digit first", one(), named("1a", "v"), false},
		{"name that is not ASCII", one(), named("größe", "v"), false},
		{"sample label name with a dash", withSampleLabel("a-b", "v"), named(), false},
		{"value that is not ASCII", one(), named("n", "größe"), true},
		{"trace id of a sample is no label", withSampleLabel("trace_id", "v"), named(numberedLabels(28)...), true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := start(t)
			err := f.pushRaw(encode(t, c.p), c.labels)
			if c.ok && err != nil {
				t.Fatal(err)
			}
			if !c.ok {
				wantCode(t, err, connect.CodeInvalidArgument)
			}
			if stored := len(f.stored(t)) > 0; stored != c.ok {
				t.Errorf("stored is %v, want %v", stored, c.ok)
			}
		})
	}
}

// stored returns all series of the anonymous tenant.
func (f *fixture) stored(t *testing.T) []series {
	t.Helper()
	if f.perTenant[anonymousTenant] == nil {
		return nil
	}
	return f.perTenant[anonymousTenant].store.find(timeRange{0, 1 << 62}, nil)
}

func manySamples(n int) *profile.Profile {
	p := one()
	for i := 1; i < n; i++ {
		s := *p.Sample[0]
		p.Sample = append(p.Sample, &s)
	}
	return p
}

func TestProfileRules(t *testing.T) {
	at := func(d time.Duration) func(*googlev1.Profile) {
		return func(p *googlev1.Profile) { p.TimeNanos = testNow.Add(d).UnixNano() }
	}
	sampleLabels := func(n int) func(*googlev1.Profile) {
		return func(p *googlev1.Profile) {
			for range n {
				p.Sample[0].Label = append(p.Sample[0].Label, &googlev1.Label{Key: 1, Num: 1})
			}
		}
	}
	cases := []struct {
		name   string
		p      *profile.Profile
		change func(*googlev1.Profile)
		ok     bool
	}{
		{"as it should be", one(), func(*googlev1.Profile) {}, true},
		{"no time", one(), func(p *googlev1.Profile) { p.TimeNanos = 0 }, true},
		{"59 minutes old", one(), at(-59 * time.Minute), true},
		{"an hour old", one(), at(-time.Hour), false},
		{"9 minutes ahead", one(), at(9 * time.Minute), true},
		{"10 minutes ahead", one(), at(10 * time.Minute), false},
		{"16000 samples", manySamples(16000), func(*googlev1.Profile) {}, true},
		{"16001 samples", manySamples(16001), func(*googlev1.Profile) {}, false},
		{"100 labels in a sample", one(), sampleLabels(100), true},
		{"101 labels in a sample", one(), sampleLabels(101), false},
		{"no string table", one(), func(p *googlev1.Profile) { p.StringTable = nil }, false},
		{"string_table[0] is not empty", one(), func(p *googlev1.Profile) { p.StringTable[0] = "x" }, false},
		{"location 0", one(), func(p *googlev1.Profile) { p.Location[0].Id = 0 }, false},
		{"function 0", one(), func(p *googlev1.Profile) { p.Function[0].Id = 0 }, false},
		{"mapping 0", one(), func(p *googlev1.Profile) { p.Mapping[0].Id = 0 }, false},
		{"equal location ids", one(), func(p *googlev1.Profile) { p.Location[1].Id = p.Location[0].Id }, false},
		{"unknown location", one(), func(p *googlev1.Profile) { p.Sample[0].LocationId[0] = 99 }, false},
		{"unknown function", one(), func(p *googlev1.Profile) { p.Location[0].Line[0].FunctionId = 99 }, false},
		{"unknown string", one(), func(p *googlev1.Profile) { p.Function[0].Name = 99 }, false},
		{"negative string", one(), func(p *googlev1.Profile) { p.Function[0].Name = -1 }, false},
		{"unknown string as sample type", one(), func(p *googlev1.Profile) { p.SampleType[0].Type = 99 }, false},
		{"a value too few", one(), func(p *googlev1.Profile) { p.Sample[0].Value = p.Sample[0].Value[:1] }, false},
		{"a value too many", one(), func(p *googlev1.Profile) { p.Sample[0].Value = append(p.Sample[0].Value, 1) }, false},
		{"no sample type", one(), func(p *googlev1.Profile) { p.SampleType, p.Sample = nil, nil }, false},
		{"dash in a sample type", one(), func(p *googlev1.Profile) {
			p.StringTable[p.SampleType[1].Type] = "cpu-time"
		}, false},
		{"no period type", one(), func(p *googlev1.Profile) { p.PeriodType = nil }, false},
		{"long string", one(), func(p *googlev1.Profile) {
			p.StringTable[p.Function[0].Name] = strings.Repeat("x", 65536)
		}, true}, // cut, see TestServerCuts
		{"inlined functions without end", one(), func(p *googlev1.Profile) {
			for range 16000 {
				p.Location[0].Line = append(p.Location[0].Line, p.Location[0].Line[0])
			}
		}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := start(t)
			err := f.pushRaw(encodeChanged(t, c.p, c.change), named())
			if c.ok && err != nil {
				t.Fatal(err)
			}
			if !c.ok {
				wantCode(t, err, connect.CodeInvalidArgument)
			}
			if stored := len(f.stored(t)) > 0; stored != c.ok {
				t.Errorf("stored is %v, want %v", stored, c.ok)
			}
		})
	}
}

// padded returns a profile of about n bytes.
func padded(t *testing.T, n int) []byte {
	p := one()
	for n -= len(encode(t, p)); n > 0; n -= 60000 {
		p.Comments = append(p.Comments, fmt.Sprint(len(p.Comments))+strings.Repeat("c", min(n, 60000)))
	}
	return encode(t, p)
}

func TestSizeLimits(t *testing.T) {
	t.Run("1.9 MiB pass", func(t *testing.T) {
		if err := start(t).pushRaw(padded(t, 19<<20/10), named()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("more than 2 MiB exceed the burst", func(t *testing.T) {
		err := start(t).pushRaw(gzipped(t, padded(t, 2<<20+1000)), named())
		wantCode(t, err, connect.CodeResourceExhausted)
	})
	t.Run("more than 4 MiB are too big", func(t *testing.T) {
		err := start(t).pushRaw(gzipped(t, padded(t, 4<<20+1000)), named())
		wantCode(t, err, connect.CodeInvalidArgument)
	})
	t.Run("the rate allows 2 MiB in half a second", func(t *testing.T) {
		f := start(t)
		now := testNow
		f.now = func() time.Time { return now }
		raw := padded(t, 15<<20/10)
		if err := f.pushRaw(raw, named()); err != nil {
			t.Fatal(err)
		}
		wantCode(t, f.pushRaw(raw, named()), connect.CodeResourceExhausted)
		now = now.Add(500 * time.Millisecond)
		if err := f.pushRaw(raw, named()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("what is held is bounded", func(t *testing.T) {
		f := start(t, func(s *server) { s.limits.storeBytes = 5000 })
		if err := f.pushRaw(padded(t, 4000), named()); err != nil {
			t.Fatal(err)
		}
		wantCode(t, f.pushRaw(padded(t, 4000), named()), connect.CodeResourceExhausted)
	})
}

func TestServerCuts(t *testing.T) {
	t.Run("stacks to their 1000 frames next to the root", func(t *testing.T) {
		f := start(t)
		stack := make([]string, 1001)
		for i := range stack {
			stack[i] = fmt.Sprintf("f%d", i)
		}
		f.mustPush(t, cpuProfile(sample{stack, []int64{1, 10}, nil}), "s")
		s := f.stored(t)[0].entries[0].profile.Sample[0]
		if len(s.Location) != 1000 {
			t.Fatalf("%d frames are left", len(s.Location))
		}
		if leaf := s.Location[0].Line[0].Function.Name; leaf != "f999" {
			t.Errorf("leaf is %s", leaf)
		}
	})
	t.Run("strings to their last 65535 bytes", func(t *testing.T) {
		f := start(t)
		name := "a" + strings.Repeat("b", 65535)
		f.mustPush(t, cpuProfile(sample{[]string{name}, []int64{1, 10}, nil}), "s")
		got := f.stored(t)[0].entries[0].profile.Sample[0].Location[0].Line[0].Function.Name
		if got != name[1:] {
			t.Errorf("name is %d bytes long", len(got))
		}
	})
	t.Run("not inside a character", func(t *testing.T) {
		err := start(t).pushRaw(encode(t, cpuProfile(sample{
			[]string{strings.Repeat("ü", 32768)}, []int64{1, 10}, nil})), named())
		wantCode(t, err, connect.CodeInvalidArgument)
	})
}

func TestOneInvalidSeriesFailsTheCallButNotTheOthers(t *testing.T) {
	f := start(t)
	raw := encode(t, one())
	series := func(ls []*typesv1.LabelPair, raw []byte) *pushv1.RawProfileSeries {
		return &pushv1.RawProfileSeries{Labels: ls, Samples: []*pushv1.RawSample{{RawProfile: raw}}}
	}
	push := func(list ...*pushv1.RawProfileSeries) error {
		_, err := f.push.Push(t.Context(), connect.NewRequest(&pushv1.PushRequest{Series: list}))
		return err
	}
	wantCode(t, push(series(named(), raw), series(named("a-b", "c"), raw)), connect.CodeInvalidArgument)
	if n := len(f.stored(t)); n != 2 {
		t.Errorf("%d series are stored, want those of the valid one", n)
	}
	wantCode(t, push(series(named("x", "y"), raw), series(named(), []byte("x"))), connect.CodeInvalidArgument)
	if n := len(f.stored(t)); n != 2 {
		t.Errorf("%d series are stored after an unreadable profile", n)
	}
	wantCode(t, push(), connect.CodeInvalidArgument)
}

func TestOneInvalidSampleLabelRefusesTheWholeProfile(t *testing.T) {
	f := start(t)
	err := f.pushRaw(encode(t, cpuProfile(
		sample{[]string{"a"}, []int64{1, 10}, nil},
		sample{[]string{"b"}, []int64{1, 10}, map[string]string{"a-b": "c"}},
	)), named())
	wantCode(t, err, connect.CodeInvalidArgument)
	if n := len(f.stored(t)); n != 0 {
		t.Errorf("%d series are stored", n)
	}
}

func TestSamplesWithoutValueCannotRefuseAProfile(t *testing.T) {
	f := start(t)
	f.mustPush(t, cpuProfile(
		sample{[]string{"a"}, []int64{1, 10}, nil},
		sample{[]string{"b"}, []int64{0, 0}, map[string]string{"a-b": "c"}},
	), "s")
	if n := len(f.stored(t)); n != 2 {
		t.Errorf("%d series are stored", n)
	}
}

// Whatever is sent, the server answers with one clear error and goes on.
func TestHostileInput(t *testing.T) {
	f := start(t, func(s *server) { s.limits.burstBytes = 1 << 40 })
	good := encode(t, one())
	bomb := gzipped(t, make([]byte, 512<<20))
	hostile := map[string][]byte{
		"nothing":            {},
		"zeros":              make([]byte, 1000),
		"text":               []byte("--- contentionz 1 ---\ncycles/second=1\n"),
		"gzip header alone":  {0x1f, 0x8b},
		"gzip cut off":       gzipped(t, good)[:40],
		"gzip bomb":          bomb,
		"gzip in gzip":       gzipped(t, gzipped(t, good)),
		"endless varint":     bytes.Repeat([]byte{0xff}, 100),
		"length beyond end":  {0x12, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"string not UTF-8":   append(bytes.Clone(good), 0x32, 2, 0xc3, 0x28),
		"a million samples":  bytes.Repeat([]byte{0x12, 0}, 1_000_000),
		"a million mappings": bytes.Repeat([]byte{0x1a, 0}, 1_000_000),
	}
	for name, raw := range hostile {
		t.Run(name, func(t *testing.T) {
			wantCode(t, f.pushRaw(raw, named()), connect.CodeInvalidArgument)
		})
	}
	f.log.SetOutput(io.Discard) // hundreds of lines
	t.Run("cut off anywhere", func(t *testing.T) {
		for n := range good {
			// A message cut off between fields may still be a profile.
			f.pushRaw(good[:n], named())
		}
	})
	t.Run("any byte changed", func(t *testing.T) {
		for n := range good {
			bad := bytes.Clone(good)
			bad[n] ^= 0xff
			f.pushRaw(bad, named())
		}
	})
	t.Run("body that is no message", func(t *testing.T) {
		for _, encoding := range []string{"", "gzip", "br"} {
			req, _ := http.NewRequest("POST", f.url+"/push.v1.PusherService/Push", strings.NewReader("\xff\xff"))
			req.Header.Set("Content-Type", "application/proto")
			req.Header.Set("Content-Encoding", encoding)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode < 400 || !bytes.Contains(body, []byte(`"code"`)) {
				t.Errorf("encoding %q: %d %s", encoding, res.StatusCode, body)
			}
		}
	})
	t.Run("and it still works", func(t *testing.T) {
		if err := f.pushRaw(good, named("after", "all")); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeProfile(fuzz *testing.F) {
	var b bytes.Buffer
	if err := one().WriteUncompressed(&b); err != nil {
		fuzz.Fatal(err)
	}
	fuzz.Add(b.Bytes())
	fuzz.Fuzz(func(t *testing.T, plain []byte) {
		lim := defaultLimits()
		p, _, err := lim.decodeProfile(plain, testNow)
		if err != nil {
			return
		}
		st := newStore()
		st.add(p, groupSamples(p, labels{{labelName, "n"}, {labelServiceName, "s"}}))
		r := timeRange{1, 1 << 62}
		for _, s := range st.find(r, nil) {
			tree := &stackNode{}
			for _, e := range s.entries {
				tree.addProfile(e.profile)
			}
			tree.flameGraph(10)
			if _, err := mergeProfiles(s.kind, r, st.profiles(r, s.kind, nil)); err != nil {
				t.Error(err)
			}
		}
	})
}

// A client without generated code sees the protocol's own statuses.
func TestPlainHTTP(t *testing.T) {
	f := start(t)
	body, err := proto.Marshal(request(gzipped(t, encode(t, one())), named()).Msg)
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, contentType, encoding string, body []byte) (int, map[string]string) {
		t.Helper()
		req, _ := http.NewRequest("POST", f.url+path, bytes.NewReader(body))
		req.Header.Set("Content-Type", contentType)
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer := make(map[string]string)
		json.NewDecoder(res.Body).Decode(&answer)
		return res.StatusCode, answer
	}
	const path, kind = "/push.v1.PusherService/Push", "application/proto"
	if status, _ := post(path, kind, "", body); status != 200 {
		t.Errorf("plain body: %d", status)
	}
	if status, _ := post(path, kind, "gzip", gzipped(t, body)); status != 200 {
		t.Errorf("gzipped body: %d", status)
	}
	if status, _ := post("/push.v1.PusherService/Pull", kind, "", body); status != 404 {
		t.Errorf("unknown method: %d", status)
	}
	if status, _ := post(path, "application/x-protobuf", "", body); status != 415 {
		t.Errorf("wrong content type: %d", status)
	}
	bad, _ := proto.Marshal(request(encode(t, one()), nil).Msg)
	status, answer := post(path, kind, "", bad)
	if status != 400 || answer["code"] != "invalid_argument" || answer["message"] == "" {
		t.Errorf("invalid labels: %d %v", status, answer)
	}
	big, _ := proto.Marshal(request(gzipped(t, padded(t, 3<<20)), named()).Msg)
	status, answer = post(path, kind, "", big)
	if status != 429 || answer["code"] != "resource_exhausted" {
		t.Errorf("above the burst: %d %v", status, answer)
	}
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	io.CopyN(gz, zeros{}, 256<<20)
	gz.Close()
	if status, answer = post(path, kind, "gzip", b.Bytes()); status < 400 {
		t.Errorf("body that is a gzip bomb: %d %v", status, answer)
	}
	res, err := http.Get(f.url + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(text) != "ready\n" {
		t.Errorf("/ready: %d %q", res.StatusCode, text)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestTenants(t *testing.T) {
	f := start(t, func(s *server) { s.tenants = true })
	push := func(tenant string) error {
		req := request(encode(t, one()), named())
		if tenant != "" {
			req.Header().Set(tenantHeader, tenant)
		}
		_, err := f.push.Push(t.Context(), req)
		return err
	}
	wantCode(t, push(""), connect.CodeUnauthenticated)
	wantCode(t, push("a/b"), connect.CodeInvalidArgument)
	if err := push("a"); err != nil {
		t.Fatal(err)
	}
	types := func(tenant string) int {
		req := connect.NewRequest(typesRequest())
		req.Header().Set(tenantHeader, tenant)
		res, err := f.query.ProfileTypes(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return len(res.Msg.ProfileTypes)
	}
	if a, b := types("a"), types("b"); a != 2 || b != 0 {
		t.Errorf("a sees %d types and b %d", a, b)
	}
	_, err := f.query.ProfileTypes(t.Context(), connect.NewRequest(typesRequest()))
	wantCode(t, err, connect.CodeUnauthenticated)
}

func TestRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "record")
	f := start(t, func(s *server) {
		var err error
		if s.record, err = newRecorder(dir); err != nil {
			t.Fatal(err)
		}
	})
	raw := gzipped(t, encode(t, one()))
	req := request(raw, named("b", "1"))
	req.Header().Set("Authorization", "Bearer x")
	if _, err := f.push.Push(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	wantCode(t, f.pushRaw([]byte("no profile"), named()), connect.CodeInvalidArgument)

	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(read("000001.pb.gz"), raw) || string(read("000002.pb")) != "no profile" {
		t.Error("a recorded profile differs from the pushed one")
	}
	var recs [2]record
	for i := range recs {
		if err := json.Unmarshal(read(fmt.Sprintf("%06d.json", i+1)), &recs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if r := recs[0]; !r.Accepted || r.Error != "" || r.ID != "test" || len(r.Labels) != 3 ||
		r.File != "000001.pb.gz" || r.Tenant != anonymousTenant ||
		r.Headers["Authorization"] != "Bearer x" || r.Labels[2] != (recordLabel{"b", "1"}) {
		t.Errorf("record is %+v", r)
	}
	if r := recs[1]; r.Accepted || r.Error == "" || r.Request != 2 {
		t.Errorf("record of the refused push is %+v", r)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
