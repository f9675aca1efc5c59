// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	"google.golang.org/protobuf/proto"
)

var (
	hourBefore = testNow.Add(-time.Hour).UnixMilli()
	hourAfter  = testNow.Add(time.Hour).UnixMilli()
)

func typesRequest() *querierv1.ProfileTypesRequest {
	return &querierv1.ProfileTypesRequest{Start: hourBefore, End: hourAfter}
}

func (f *fixture) flameGraph(t *testing.T, typeID, selector string, maxNodes int64) *querierv1.FlameGraph {
	t.Helper()
	res, err := f.query.SelectMergeStacktraces(t.Context(), connect.NewRequest(
		&querierv1.SelectMergeStacktracesRequest{
			ProfileTypeID: typeID, LabelSelector: selector,
			Start: hourBefore, End: hourAfter, MaxNodes: &maxNodes,
		}))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.Flamegraph
}

func (f *fixture) merged(t *testing.T, typeID, selector string) *profile.Profile {
	t.Helper()
	res, err := f.query.SelectMergeProfile(t.Context(), connect.NewRequest(
		&querierv1.SelectMergeProfileRequest{
			ProfileTypeID: typeID, LabelSelector: selector,
			Start: hourBefore, End: hourAfter,
		}))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(res.Msg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// stacks returns what a profile spends in each stack, "root;…;leaf".
func stacks(p *profile.Profile) map[string]int64 {
	out := make(map[string]int64)
	for _, s := range p.Sample {
		name := ""
		for _, l := range s.Location {
			for _, line := range l.Line {
				name = ";" + line.Function.Name + name
			}
		}
		out[name] += s.Value[0]
	}
	return out
}

// decode undoes the encoding of the levels: self value by stack.
func decode(fg *querierv1.FlameGraph) map[string]int64 {
	type box struct {
		x, total int64
		stack    string
	}
	out := make(map[string]int64)
	var below []box
	for depth, level := range fg.Levels {
		var here []box
		var edge int64
		for v := level.Values; len(v) >= 4; v = v[4:] {
			b := box{x: edge + v[0], total: v[1]}
			edge = b.x + b.total
			if depth > 0 {
				i := slices.IndexFunc(below, func(p box) bool {
					return p.x <= b.x && b.x+b.total <= p.x+p.total
				})
				if i < 0 {
					panic("a node without a parent below it")
				}
				b.stack = below[i].stack + ";" + fg.Names[v[3]]
			}
			if v[2] > 0 {
				out[b.stack] += v[2]
			}
			here = append(here, b)
		}
		below = here
	}
	return out
}

func element(name string) map[string]string {
	return map[string]string{"element": name}
}

func TestPushedProfileIsQueriedBack(t *testing.T) {
	f := start(t)
	f.mustPush(t, cpuProfile(
		sample{[]string{"main", "chain", "encode"}, []int64{3, 30}, element("enc")},
		sample{[]string{"main", "chain"}, []int64{1, 11}, element("enc")},
		sample{[]string{"main", "chain", "scale"}, []int64{2, 20}, element("scale")},
		sample{[]string{"main", "idle"}, []int64{1, 10}, nil},
	), "s")
	f.mustPush(t, cpuProfile(
		sample{[]string{"main", "chain", "encode"}, []int64{5, 50}, element("enc")},
	), "s")
	f.mustPush(t, cpuProfile(sample{[]string{"main"}, []int64{7, 70}, nil}), "other")

	want := map[string]int64{
		";main;chain;encode": 80, ";main;chain": 11,
		";main;chain;scale": 20, ";main;idle": 10,
	}
	all := `{service_name="s"}`
	if fg := f.flameGraph(t, cpuType, all, 0); fg.Total != 121 || fg.MaxSelf != 80 || !maps.Equal(decode(fg), want) {
		t.Errorf("flame graph: total %d, greatest self value %d, %v", fg.Total, fg.MaxSelf, decode(fg))
	}
	if got := stacks(f.merged(t, cpuType, all)); !maps.Equal(got, want) {
		t.Errorf("profile: %v", got)
	}
	for selector, total := range map[string]int64{
		`{service_name="s", element="enc"}`:        91,
		`{service_name="s", element="scale"}`:      20,
		`{service_name="s", element=""}`:           10,
		`{service_name="s", element!="enc"}`:       30,
		`{service_name="s", element=~"enc|scale"}`: 111,
		`{service_name="s", element!~"e.*"}`:       30,
		`{service_name="none"}`:                    0,
		`{}`:                                       191,
	} {
		if fg := f.flameGraph(t, cpuType, selector, 0); fg.Total != total {
			t.Errorf("%s: total is %d, want %d", selector, fg.Total, total)
		}
	}
	if fg := f.flameGraph(t, samplesType, all, 0); fg.Total != 12 {
		t.Errorf("samples: total is %d, want 12", fg.Total)
	}
}

func TestFlameGraphLevels(t *testing.T) {
	f := start(t)
	f.mustPush(t, cpuProfile(
		sample{[]string{"a", "c"}, []int64{1, 30}, nil},
		sample{[]string{"a"}, []int64{1, 5}, nil},
		sample{[]string{"b", "a"}, []int64{1, 7}, nil},
		sample{[]string{"b", "d"}, []int64{1, 2}, nil},
	), "s")
	got := f.flameGraph(t, cpuType, "{}", 0)
	want := &querierv1.FlameGraph{
		Names: []string{"total", "a", "c", "b", "d"},
		Levels: []*querierv1.Level{
			{Values: []int64{0, 44, 0, 0}},
			{Values: []int64{0, 35, 5, 1, 0, 9, 0, 3}},
			{Values: []int64{5, 30, 30, 2, 0, 7, 7, 1, 0, 2, 2, 4}},
		},
		Total: 44, MaxSelf: 30,
	}
	if !proto.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}

	// Root, a, c and b have the four greatest totals; what is below b, is
	// "other".
	got = f.flameGraph(t, cpuType, "{}", 4)
	wantStacks := map[string]int64{";a": 5, ";a;c": 30, ";b;other": 9}
	if got.Total != 44 || !maps.Equal(decode(got), wantStacks) {
		t.Errorf("with 4 nodes: total %d, %v", got.Total, decode(got))
	}

	got = f.flameGraph(t, cpuType, `{service_name="none"}`, 0)
	want = &querierv1.FlameGraph{
		Names:  []string{"total"},
		Levels: []*querierv1.Level{{Values: []int64{0, 0, 0, 0}}},
	}
	if !proto.Equal(got, want) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestInlinedFunctionsAndLocationsWithoutLines(t *testing.T) {
	p := cpuProfile(
		sample{[]string{"main", "outer"}, []int64{1, 10}, nil},
		sample{[]string{"main", "bare"}, []int64{1, 5}, nil},
		sample{[]string{"bare"}, []int64{1, 3}, nil},
	)
	inner := &profile.Function{ID: 9, Name: "inner"}
	p.Function = append(p.Function, inner)
	for _, l := range p.Location {
		switch l.Line[0].Function.Name {
		case "outer":
			l.Line = append([]profile.Line{{Function: inner}}, l.Line...)
		case "bare":
			l.Line = nil
		}
	}
	f := start(t)
	f.mustPush(t, p, "s")
	want := map[string]int64{";main;outer;inner": 10, ";main": 5}
	if fg := f.flameGraph(t, cpuType, "{}", 0); fg.Total != 15 || !maps.Equal(decode(fg), want) {
		t.Errorf("total %d, %v", fg.Total, decode(fg))
	}
	want[""] = 3 // the profile keeps what has no name
	if got := stacks(f.merged(t, cpuType, "{}")); !maps.Equal(got, want) {
		t.Errorf("profile: %v", got)
	}
}

func TestNormalization(t *testing.T) {
	p := cpuProfile(
		sample{[]string{"a"}, []int64{1, 10}, element("e")},
		sample{[]string{"a"}, []int64{2, 20}, element("e")}, // the same
		sample{[]string{"b"}, []int64{0, 0}, nil},
		sample{[]string{"c"}, []int64{-1, -5}, nil},
		sample{[]string{"d"}, []int64{0, 4}, nil}, // no sample, but time
		sample{[]string{"a"}, []int64{1, 1}, map[string]string{
			"service_name": "mine", "trace_id": "t", "profile_id": "p"}},
	)
	p.Sample[0].NumLabel = map[string][]int64{"thread_id": {42}}
	f := start(t)
	f.mustPush(t, p, "s")

	type row struct{ kind, element, stack, value string }
	var got []row
	for _, s := range f.stored(t) {
		if s.labels.get("service_name") != "s" || s.labels.get("thread_id")+s.labels.get("trace_id") != "" {
			t.Errorf("labels are %s", s.labels)
		}
		for _, x := range s.entries[0].profile.Sample {
			got = append(got, row{s.kind.sampleType, s.labels.get("element"),
				x.Location[0].Line[0].Function.Name, fmt.Sprint(x.Value, x.Label)})
		}
	}
	want := []row{
		{"cpu", "e", "a", "[30] map[]"},
		{"cpu", "", "d", "[4] map[]"},
		{"cpu", "", "a", "[1] map[span_id:[p] trace_id:[t]]"},
		{"samples", "e", "a", "[3] map[]"},
		{"samples", "", "a", "[1] map[span_id:[p] trace_id:[t]]"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	loc := f.stored(t)[0].entries[0].profile.Location[0]
	if loc.Address != 0 || loc.Mapping.Start != 0 || loc.Mapping.BuildID != "0123abcd" {
		t.Errorf("location of a mapping with functions is %+v of %+v", loc, loc.Mapping)
	}

	p = one()
	p.Mapping[0].HasFunctions = false
	f = start(t)
	f.mustPush(t, p, "s")
	if loc := f.stored(t)[0].entries[0].profile.Location[0]; loc.Address == 0 {
		t.Error("location of a mapping without functions lost its address")
	}
}

func TestMergedProfile(t *testing.T) {
	f := start(t)
	f.mustPush(t, one(), "s")
	f.mustPush(t, one(), "s")
	p := f.merged(t, cpuType, "{}")
	if len(p.Sample) != 1 || p.Sample[0].Value[0] != 20 || len(p.Sample[0].Label) != 0 {
		t.Errorf("samples: %v", p.Sample)
	}
	if len(p.SampleType) != 1 || p.SampleType[0].Type != "cpu" || p.PeriodType.Unit != "nanoseconds" || p.Period != 10_000_000 {
		t.Errorf("types: %v, period %v %d", p.SampleType, p.PeriodType, p.Period)
	}
	if p.TimeNanos != hourAfter*1e6 || p.DurationNanos != int64(2*time.Hour) {
		t.Errorf("time %d, duration %d", p.TimeNanos, p.DurationNanos)
	}
	if p.Mapping[0].BuildID != "0123abcd" || p.Sample[0].Location[0].Line[0].Line != 7 {
		t.Errorf("mapping or line is lost: %v", p)
	}
	if p = f.merged(t, cpuType, `{service_name="none"}`); len(p.Sample) != 0 || p.SampleType[0].Type != "cpu" {
		t.Errorf("of nothing: %v", p)
	}
}

func TestLabelQueries(t *testing.T) {
	f := start(t)
	f.mustPush(t, cpuProfile(
		sample{[]string{"a"}, []int64{1, 10}, element("enc")},
		sample{[]string{"a"}, []int64{1, 10}, element("dec")},
	), "s")
	f.mustPush(t, one(), "t")
	late := one()
	late.TimeNanos = testNow.Add(5 * time.Minute).UnixNano()
	f.mustPush(t, late, "late")

	types, err := f.query.ProfileTypes(t.Context(), connect.NewRequest(typesRequest()))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range types.Msg.ProfileTypes {
		ids = append(ids, k.ID)
	}
	if want := []string{cpuType, samplesType}; !slices.Equal(ids, want) {
		t.Errorf("types: %v", ids)
	}

	names, err := f.query.LabelNames(t.Context(), connect.NewRequest(&typesv1.LabelNamesRequest{
		Start: hourBefore, End: hourAfter}))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"__name__", "__period_type__", "__period_unit__", "__profile_type__",
		"__type__", "__unit__", "element", "service_name",
	}; !slices.Equal(names.Msg.Names, want) {
		t.Errorf("names: %v", names.Msg.Names)
	}

	values := func(name string, start, end int64, matchers ...string) []string {
		t.Helper()
		res, err := f.query.LabelValues(t.Context(), connect.NewRequest(&typesv1.LabelValuesRequest{
			Name: name, Start: start, End: end, Matchers: matchers}))
		if err != nil {
			t.Fatal(err)
		}
		return res.Msg.Names
	}
	now := testNow.UnixMilli()
	for _, c := range []struct{ got, want []string }{
		{values("service_name", hourBefore, hourAfter), []string{"late", "s", "t"}},
		{values("service_name", hourBefore, now), []string{"s", "t"}},
		{values("service_name", now, hourAfter), []string{"late", "s", "t"}},
		{values("service_name", now+1, hourAfter), []string{"late"}},
		{values("service_name", hourBefore, hourAfter, `{element!=""}`), []string{"s"}},
		{values("service_name", hourBefore, hourAfter, `{element="enc"}`, `{service_name="t"}`), []string{"s", "t"}},
		{values("element", hourBefore, hourAfter), []string{"dec", "enc"}},
		{values("__profile_type__", hourBefore, hourAfter), []string{cpuType, samplesType}},
		{values("none", hourBefore, hourAfter), nil},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("values: %v, want %v", c.got, c.want)
		}
	}

	res, err := f.query.Series(t.Context(), connect.NewRequest(&querierv1.SeriesRequest{
		Start: hourBefore, End: hourAfter, Matchers: []string{`{service_name=~"s|t"}`},
		LabelNames: []string{"service_name", "element"}}))
	if err != nil {
		t.Fatal(err)
	}
	var sets []string
	for _, s := range res.Msg.LabelsSet {
		sets = append(sets, newLabels(s.Labels).String())
	}
	if want := []string{
		`{element="dec", service_name="s"}`, `{element="enc", service_name="s"}`, `{service_name="t"}`,
	}; !slices.Equal(sets, want) {
		t.Errorf("series: %v", sets)
	}
}

func TestInvalidQueries(t *testing.T) {
	f := start(t)
	f.mustPush(t, one(), "s")
	nodes := func(n int64) *int64 { return &n }
	valid := func() *querierv1.SelectMergeStacktracesRequest {
		return &querierv1.SelectMergeStacktracesRequest{
			ProfileTypeID: cpuType, LabelSelector: "{}", Start: hourBefore, End: hourAfter}
	}
	cases := map[string]func(*querierv1.SelectMergeStacktracesRequest){
		"no start":        func(r *querierv1.SelectMergeStacktracesRequest) { r.Start = 0 },
		"no end":          func(r *querierv1.SelectMergeStacktracesRequest) { r.End = 0 },
		"ends too soon":   func(r *querierv1.SelectMergeStacktracesRequest) { r.End = r.Start - 1 },
		"over 24 hours":   func(r *querierv1.SelectMergeStacktracesRequest) { r.End = r.Start + 24*3600*1000 + 1 },
		"no type":         func(r *querierv1.SelectMergeStacktracesRequest) { r.ProfileTypeID = "" },
		"half a type":     func(r *querierv1.SelectMergeStacktracesRequest) { r.ProfileTypeID = "process_cpu:cpu" },
		"no selector":     func(r *querierv1.SelectMergeStacktracesRequest) { r.LabelSelector = "" },
		"bad regexp":      func(r *querierv1.SelectMergeStacktracesRequest) { r.LabelSelector = `{a=~"("}` },
		"negative nodes":  func(r *querierv1.SelectMergeStacktracesRequest) { r.MaxNodes = nodes(-1) },
		"nodes past most": func(r *querierv1.SelectMergeStacktracesRequest) { r.MaxNodes = nodes(1<<20 + 1) },
	}
	for name, change := range cases {
		req := valid()
		change(req)
		_, err := f.query.SelectMergeStacktraces(t.Context(), connect.NewRequest(req))
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	req := valid()
	req.End = req.Start + 24*3600*1000
	if _, err := f.query.SelectMergeStacktraces(t.Context(), connect.NewRequest(req)); err != nil {
		t.Errorf("24 hours: %v", err)
	}
	req.Format = querierv1.ProfileFormat_PROFILE_FORMAT_TREE
	_, err := f.query.SelectMergeStacktraces(t.Context(), connect.NewRequest(req))
	wantCode(t, err, connect.CodeUnimplemented)
	_, err = f.query.SelectMergeProfile(t.Context(), connect.NewRequest(&querierv1.SelectMergeProfileRequest{
		ProfileTypeID: cpuType, LabelSelector: "{}", Start: hourBefore, End: hourAfter, MaxNodes: nodes(5)}))
	wantCode(t, err, connect.CodeUnimplemented)
	_, err = f.query.SelectSeries(t.Context(), connect.NewRequest(&querierv1.SelectSeriesRequest{}))
	wantCode(t, err, connect.CodeUnimplemented)
}

func TestValuesAddUpToTheNanosecond(t *testing.T) {
	f := start(t, func(s *server) { s.limits.burstBytes = 1 << 30 })
	var want int64
	for i := range 20 {
		var samples []sample
		for j := range 500 {
			v := int64(i*1_000_003 + j*7_919 + 1)
			want += v
			samples = append(samples, sample{
				[]string{"main", fmt.Sprintf("f%d", j%40), fmt.Sprintf("g%d", j)},
				[]int64{1, v}, element(fmt.Sprintf("e%d", j%7)),
			})
		}
		f.mustPush(t, cpuProfile(samples...), "s")
	}
	if fg := f.flameGraph(t, cpuType, "{}", 0); fg.Total != want {
		t.Errorf("total is %d, want %d", fg.Total, want)
	}
	if fg := f.flameGraph(t, cpuType, "{}", 50); fg.Total != want {
		t.Errorf("with 50 nodes the total is %d, want %d", fg.Total, want)
	} else if got := sum(decode(fg)); got != want {
		t.Errorf("with 50 nodes the self values are %d together, want %d", got, want)
	}
	if got := sum(stacks(f.merged(t, cpuType, "{}"))); got != want {
		t.Errorf("the profile's total is %d, want %d", got, want)
	}
}

// What the real server was seen to do, some minutes after the pushes.
func TestCompactionKeepsOneRowOfASeriesAndTime(t *testing.T) {
	f := start(t)
	push := func(function string, later int64) {
		p := cpuProfile(sample{[]string{"main", function}, []int64{1, 10}, nil})
		p.TimeNanos += later
		f.mustPush(t, p, "s")
	}
	push("f", 0)
	push("f", 0) // sent twice
	push("g", 0) // another part of the same profile
	push("h", 1) // as a nanosecond later
	if got := f.flameGraph(t, cpuType, "{}", 0).Total; got != 40 {
		t.Errorf("before compaction the total is %d, want 40", got)
	}
	res, err := http.Post(f.url+"/compact", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("compact answers %s", res.Status)
	}
	if got := f.flameGraph(t, cpuType, "{}", 0).Total; got != 20 {
		t.Errorf("after compaction the total is %d, want 20", got)
	}
}

func sum(m map[string]int64) (total int64) {
	for _, v := range m {
		total += v
	}
	return total
}

func TestPushesAndQueriesAtOnce(t *testing.T) {
	f := start(t)
	done := make(chan error)
	for i := range 4 {
		raw := encodeChanged(t, one(), func(*googlev1.Profile) {})
		go func() {
			for range 20 {
				if err := f.pushRaw(raw, named("worker", fmt.Sprint(i))); err != nil {
					done <- err
					return
				}
				f.query.SelectMergeProfile(t.Context(), connect.NewRequest(&querierv1.SelectMergeProfileRequest{
					ProfileTypeID: cpuType, LabelSelector: "{}", Start: hourBefore, End: hourAfter}))
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if fg := f.flameGraph(t, cpuType, "{}", 0); fg.Total != 800 {
		t.Errorf("total is %d", fg.Total)
	}
}
