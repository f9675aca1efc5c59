// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"slices"
	"strings"

	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// Names of labels that mean something to the server.
const (
	labelName        = "__name__"
	labelServiceName = "service_name"
	labelProfileType = "__profile_type__"
	labelType        = "__type__"
	labelUnit        = "__unit__"
	labelPeriodType  = "__period_type__"
	labelPeriodUnit  = "__period_unit__"

	// These stay with the sample and never become series labels.
	labelTraceID   = "trace_id"
	labelSpanID    = "span_id"
	labelProfileID = "profile_id" // an older name of span_id
)

type label struct {
	name, value string
}

// labels is a label set sorted by name. One that came from outside may hold
// a name twice until it has been validated.
type labels []label

// newLabels takes a request's labels, without those that are empty: to the
// server an empty label is an absent one.
func newLabels(pairs []*typesv1.LabelPair) labels {
	var ls labels
	for _, p := range pairs {
		if p.GetValue() != "" {
			ls = append(ls, label{p.GetName(), p.GetValue()})
		}
	}
	ls.sort()
	return ls
}

func (ls labels) sort() {
	slices.SortStableFunc(ls, func(a, b label) int {
		return strings.Compare(a.name, b.name)
	})
}

// get returns a label's value, "" where there is none.
func (ls labels) get(name string) string {
	for _, l := range ls {
		if l.name == name {
			return l.value
		}
	}
	return ""
}

// with returns a copy that also has the labels of more; where both have a
// name, the one in ls stays.
func (ls labels) with(more ...label) labels {
	all := slices.Clone(ls)
	for _, l := range more {
		if all.get(l.name) == "" {
			all = append(all, l)
		}
	}
	all.sort()
	return all
}

// only returns the labels of the given names, or all where none is given.
func (ls labels) only(names []string) labels {
	if len(names) == 0 {
		return ls
	}
	var some labels
	for _, l := range ls {
		if slices.Contains(names, l.name) {
			some = append(some, l)
		}
	}
	return some
}

// String writes a set as a selector; being quoted, it is unambiguous and
// serves as a map key.
func (ls labels) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, l := range ls {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s=%q", l.name, l.value)
	}
	b.WriteByte('}')
	return b.String()
}

func (ls labels) proto() *typesv1.Labels {
	out := &typesv1.Labels{}
	for _, l := range ls {
		out.Labels = append(out.Labels,
			&typesv1.LabelPair{Name: l.name, Value: l.value})
	}
	return out
}
