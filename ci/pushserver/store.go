// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/pprof/profile"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// profileType is what the server calls a profile type: one sample type of
// the profiles of one name.
type profileType struct {
	name, sampleType, sampleUnit, periodType, periodUnit string
}

func (t profileType) id() string {
	return strings.Join([]string{
		t.name, t.sampleType, t.sampleUnit, t.periodType, t.periodUnit,
	}, ":")
}

func parseProfileType(id string) (profileType, error) {
	f := strings.Split(id, ":")
	if len(f) != 5 {
		return profileType{}, fmt.Errorf("profile type %q is not of the form "+
			"name:sample_type:sample_unit:period_type:period_unit", shorten(id))
	}
	return profileType{f[0], f[1], f[2], f[3], f[4]}, nil
}

// labels are those that the server adds to each series of this type.
func (t profileType) labels() []label {
	return []label{
		{labelProfileType, t.id()},
		{labelType, t.sampleType},
		{labelUnit, t.sampleUnit},
		{labelPeriodType, t.periodType},
		{labelPeriodUnit, t.periodUnit},
	}
}

func (t profileType) proto() *typesv1.ProfileType {
	return &typesv1.ProfileType{
		ID: t.id(), Name: t.name,
		SampleType: t.sampleType, SampleUnit: t.sampleUnit,
		PeriodType: t.periodType, PeriodUnit: t.periodUnit,
	}
}

// series is one label set of one profile type and what was pushed to it.
type series struct {
	kind    profileType
	labels  labels
	entries []entry
}

// entry is one push's share of a series. The profile has one sample type and
// no sample labels that became series labels; it is never changed again, so
// that readers need no lock for it.
type entry struct {
	timeMs  int64
	profile *profile.Profile
}

// store holds one tenant's series. Any thread may call it.
type store struct {
	mu     sync.RWMutex
	series map[string]*series
}

func newStore() *store {
	return &store{series: make(map[string]*series)}
}

// sampleGroup is the samples of one profile that have the same series labels.
type sampleGroup struct {
	labels  labels
	samples []*profile.Sample
}

// groupSamples gives each sample the labels of its series: the given ones,
// and the sample's own where they do not conflict.
func groupSamples(p *profile.Profile, ls labels) []*sampleGroup {
	groups := make(map[string]*sampleGroup)
	var order []*sampleGroup
	for _, s := range p.Sample {
		own := sampleLabels(s)
		own = slices.DeleteFunc(own, func(l label) bool {
			return l.name == labelTraceID || l.name == labelSpanID
		})
		all := ls.with(own...)
		key := all.String()
		g, ok := groups[key]
		if !ok {
			g = &sampleGroup{labels: all}
			groups[key] = g
			order = append(order, g)
		}
		g.samples = append(g.samples, s)
	}
	return order
}

// add stores the groups of one profile, each sample type in a series of its
// own.
func (st *store) add(p *profile.Profile, groups []*sampleGroup) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, g := range groups {
		for i, sampleType := range p.SampleType {
			samples := samplesOfType(g.samples, i)
			if len(samples) == 0 {
				continue
			}
			kind := profileType{
				g.labels.get(labelName), sampleType.Type, sampleType.Unit,
				p.PeriodType.Type, p.PeriodType.Unit,
			}
			sr := st.seriesFor(kind, g.labels)
			sr.entries = append(sr.entries, entry{
				timeMs:  p.TimeNanos / 1e6,
				profile: withSamples(p, sampleType, samples),
			})
		}
	}
}

// withSamples returns a profile with the given samples of one type. Mappings,
// locations and functions are shared with p.
func withSamples(p *profile.Profile, sampleType *profile.ValueType, samples []*profile.Sample) *profile.Profile {
	return &profile.Profile{
		SampleType:        []*profile.ValueType{sampleType},
		DefaultSampleType: sampleType.Type,
		Sample:            samples,
		Mapping:           p.Mapping,
		Location:          p.Location,
		Function:          p.Function,
		Comments:          p.Comments,
		DropFrames:        p.DropFrames,
		KeepFrames:        p.KeepFrames,
		TimeNanos:         p.TimeNanos,
		DurationNanos:     p.DurationNanos,
		PeriodType:        p.PeriodType,
		Period:            p.Period,
	}
}

// samplesOfType returns the samples with the i-th value alone, without those
// that have none.
func samplesOfType(samples []*profile.Sample, i int) []*profile.Sample {
	var out []*profile.Sample
	for _, s := range samples {
		if s.Value[i] <= 0 {
			continue
		}
		one := &profile.Sample{
			Location: s.Location, Value: []int64{s.Value[i]},
		}
		for _, name := range []string{labelTraceID, labelSpanID} {
			if v, ok := s.Label[name]; ok {
				if one.Label == nil {
					one.Label = make(map[string][]string)
				}
				one.Label[name] = v
			}
		}
		out = append(out, one)
	}
	return out
}

func (st *store) seriesFor(kind profileType, ls labels) *series {
	all := ls.with(kind.labels()...)
	key := all.String()
	s, ok := st.series[key]
	if !ok {
		s = &series{kind: kind, labels: all}
		st.series[key] = s
	}
	return s
}

// compact does what the real server's compaction does some minutes after a
// push: of several rows of one series with one time one is kept.
func (st *store) compact() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, s := range st.series {
		seen := make(map[int64]bool)
		s.entries = slices.DeleteFunc(s.entries, func(e entry) bool {
			again := seen[e.profile.TimeNanos]
			seen[e.profile.TimeNanos] = true
			return again
		})
	}
}

// timeRange is closed at both ends, in milliseconds since the epoch.
type timeRange struct {
	start, end int64
}

func (r timeRange) has(ms int64) bool {
	return r.start <= ms && ms <= r.end
}

// find returns the series that satisfy one of the selectors (all, where there
// are none) and have something in the range, sorted by label set. The series
// are copies with the entries in the range.
func (st *store) find(r timeRange, selectors []selector) []series {
	st.mu.RLock()
	defer st.mu.RUnlock()
	var found []series
	for _, key := range slices.Sorted(maps.Keys(st.series)) {
		s := st.series[key]
		if len(selectors) > 0 && !slices.ContainsFunc(selectors,
			func(sel selector) bool { return sel.matches(s.labels) }) {
			continue
		}
		var in []entry
		for _, e := range s.entries {
			if r.has(e.timeMs) {
				in = append(in, e)
			}
		}
		if len(in) > 0 {
			found = append(found, series{s.kind, s.labels, in})
		}
	}
	return found
}

// profiles returns the profiles of one type that a selector finds, oldest
// first.
func (st *store) profiles(r timeRange, kind profileType, sel selector) []*profile.Profile {
	var entries []entry
	for _, s := range st.find(r, []selector{sel}) {
		if s.kind == kind {
			entries = append(entries, s.entries...)
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Compare(a.timeMs, b.timeMs)
	})
	out := make([]*profile.Profile, len(entries))
	for i, e := range entries {
		out[i] = e.profile
	}
	return out
}
