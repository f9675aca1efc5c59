// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
)

var (
	metricNameRE = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelNameRE  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// validateLabels applies the server's rules to the labels of one series, the
// sample labels among them. ls is sorted.
func (lim *limits) validateLabels(ls labels) error {
	if len(ls) > lim.labelNames {
		return fmt.Errorf("series %s has %d labels, at most %d are allowed",
			shorten(ls.String()), len(ls), lim.labelNames)
	}
	if name := ls.get(labelName); !metricNameRE.MatchString(name) {
		return fmt.Errorf("series %s: label %s is %q, which is no metric name",
			shorten(ls.String()), labelName, shorten(name))
	}
	if ls.get(labelServiceName) == "" {
		return fmt.Errorf("series %s has no %s",
			shorten(ls.String()), labelServiceName)
	}
	for i, l := range ls {
		switch {
		case len(l.name) > lim.labelNameBytes:
			return fmt.Errorf("label name %q is %d bytes long, at most %d are allowed",
				shorten(l.name), len(l.name), lim.labelNameBytes)
		case len(l.value) > lim.labelValueBytes:
			return fmt.Errorf("value of label %q is %d bytes long, at most %d are allowed",
				l.name, len(l.value), lim.labelValueBytes)
		case !labelNameRE.MatchString(l.name):
			return fmt.Errorf("label name %q is not valid, it must match %s",
				l.name, labelNameRE)
		case !utf8.ValidString(l.value):
			return fmt.Errorf("value %q of label %q is not UTF-8", l.value, l.name)
		case i > 0 && ls[i-1].name == l.name:
			return fmt.Errorf("label %q is there twice", l.name)
		}
	}
	return nil
}

// validateProfile applies the rules that can be read off the message itself.
// It sets a missing time to now and cuts what the server cuts rather than
// refuses: long strings lose their beginning, deep stacks their leaf side.
// It returns how much was cut.
func (lim *limits) validateProfile(p *googlev1.Profile, now time.Time) (cut int, err error) {
	if p.TimeNanos > 0 {
		t := time.Unix(0, p.TimeNanos)
		if from := now.Add(-lim.rejectOlderThan); !t.After(from) {
			return 0, fmt.Errorf("profile's time %s is outside the ingestion window, which starts at %s",
				t.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339))
		}
		if to := now.Add(lim.rejectNewerThan); !t.Before(to) {
			return 0, fmt.Errorf("profile's time %s is outside the ingestion window, which ends at %s",
				t.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
		}
	} else {
		p.TimeNanos = now.UnixNano()
	}

	if len(p.Sample) > lim.samples {
		return 0, fmt.Errorf("profile has %d samples, at most %d are allowed",
			len(p.Sample), lim.samples)
	}
	if len(p.StringTable) == 0 || p.StringTable[0] != "" {
		return 0, fmt.Errorf("string_table[0] is not empty")
	}
	for i, s := range p.StringTable {
		if len(s) > lim.stringBytes {
			p.StringTable[i] = s[len(s)-lim.stringBytes:]
			cut++
		}
		if !utf8.ValidString(p.StringTable[i]) {
			return cut, fmt.Errorf("string_table[%d] is not UTF-8: %q",
				i, shorten(p.StringTable[i]))
		}
	}
	if err := lim.validateTypes(p); err != nil {
		return cut, err
	}
	for i, s := range p.Sample {
		if len(s.Value) != len(p.SampleType) {
			return cut, fmt.Errorf("sample %d has %d values, but there are %d sample types",
				i, len(s.Value), len(p.SampleType))
		}
		if len(s.Label) > lim.sampleLabels {
			return cut, fmt.Errorf("sample %d has %d labels, at most %d are allowed",
				i, len(s.Label), lim.sampleLabels)
		}
		if n := len(s.LocationId); n > lim.depth {
			s.LocationId = s.LocationId[n-lim.depth:] // [0] is the leaf
			cut++
		}
	}
	if err := validateIDs(p); err != nil {
		return cut, err
	}
	return cut, lim.validateFrames(p)
}

func (lim *limits) validateTypes(p *googlev1.Profile) error {
	text := func(i int64) string {
		if i < 0 || i >= int64(len(p.StringTable)) {
			return ""
		}
		return p.StringTable[i]
	}
	if len(p.SampleType) == 0 {
		return fmt.Errorf("profile has no sample_type")
	}
	for i, st := range p.SampleType {
		name := text(st.Type)
		if name == "" {
			return fmt.Errorf("sample_type %d has no name", i)
		}
		if strings.Contains(name, "-") {
			return fmt.Errorf("sample_type %q contains a '-'", shorten(name))
		}
	}
	if p.PeriodType == nil {
		return fmt.Errorf("profile has no period_type")
	}
	return nil
}

func validateIDs(p *googlev1.Profile) error {
	for i, l := range p.Location {
		if l.Id == 0 {
			return fmt.Errorf("location %d has the id 0", i)
		}
	}
	for i, f := range p.Function {
		if f.Id == 0 {
			return fmt.Errorf("function %d has the id 0", i)
		}
	}
	for i, m := range p.Mapping {
		if m.Id == 0 {
			return fmt.Errorf("mapping %d has the id 0", i)
		}
	}
	return nil
}

// validateFrames refuses stacks that inlined functions blow up far beyond
// what the message's own size and the depth limit allow. The server has no
// such rule; this one keeps call trees in bounds.
func (lim *limits) validateFrames(p *googlev1.Profile) error {
	lines := make(map[uint64]int, len(p.Location))
	for _, l := range p.Location {
		lines[l.Id] = len(l.Line)
	}
	total := 0
	for i, s := range p.Sample {
		frames := 0
		for _, id := range s.LocationId {
			frames += lines[id]
		}
		total += frames
		if frames > lim.stackFrames || total > lim.profileFrames {
			return fmt.Errorf("sample %d: inlined functions make %d frames, %d so far; at most %d and %d are allowed",
				i, frames, total, lim.stackFrames, lim.profileFrames)
		}
	}
	return nil
}

// shorten keeps messages readable whatever was sent.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
