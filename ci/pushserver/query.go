// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	"google.golang.org/protobuf/proto"
)

// querier is the querier.v1 service. Methods that are not here answer that
// they are not implemented, and so do options which would change an answer.
type querier struct {
	querierv1connect.UnimplementedQuerierServiceHandler
	server *server
}

func (q *querier) ProfileTypes(ctx context.Context, req *connect.Request[querierv1.ProfileTypesRequest]) (*connect.Response[querierv1.ProfileTypesResponse], error) {
	found, err := q.find(ctx, req.Msg.Start, req.Msg.End, nil)
	if err != nil {
		return nil, err
	}
	kinds := make(map[string]profileType)
	for _, s := range found {
		kinds[s.kind.id()] = s.kind
	}
	res := &querierv1.ProfileTypesResponse{}
	for _, id := range sortedKeys(kinds) {
		res.ProfileTypes = append(res.ProfileTypes, kinds[id].proto())
	}
	return connect.NewResponse(res), nil
}

func (q *querier) LabelNames(ctx context.Context, req *connect.Request[typesv1.LabelNamesRequest]) (*connect.Response[typesv1.LabelNamesResponse], error) {
	found, err := q.find(ctx, req.Msg.Start, req.Msg.End, req.Msg.Matchers)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, s := range found {
		for _, l := range s.labels {
			names[l.name] = true
		}
	}
	return connect.NewResponse(&typesv1.LabelNamesResponse{Names: sortedKeys(names)}), nil
}

func (q *querier) LabelValues(ctx context.Context, req *connect.Request[typesv1.LabelValuesRequest]) (*connect.Response[typesv1.LabelValuesResponse], error) {
	if req.Msg.Name == "" {
		return nil, invalid(errors.New("name of the label is missing"))
	}
	found, err := q.find(ctx, req.Msg.Start, req.Msg.End, req.Msg.Matchers)
	if err != nil {
		return nil, err
	}
	values := make(map[string]bool)
	for _, s := range found {
		if v := s.labels.get(req.Msg.Name); v != "" {
			values[v] = true
		}
	}
	return connect.NewResponse(&typesv1.LabelValuesResponse{Names: sortedKeys(values)}), nil
}

func (q *querier) Series(ctx context.Context, req *connect.Request[querierv1.SeriesRequest]) (*connect.Response[querierv1.SeriesResponse], error) {
	found, err := q.find(ctx, req.Msg.Start, req.Msg.End, req.Msg.Matchers)
	if err != nil {
		return nil, err
	}
	sets := make(map[string]labels)
	for _, s := range found {
		if some := s.labels.only(req.Msg.LabelNames); len(some) > 0 {
			sets[some.String()] = some
		}
	}
	res := &querierv1.SeriesResponse{}
	for _, key := range sortedKeys(sets) {
		res.LabelsSet = append(res.LabelsSet, sets[key].proto())
	}
	return connect.NewResponse(res), nil
}

func (q *querier) SelectMergeStacktraces(ctx context.Context, req *connect.Request[querierv1.SelectMergeStacktracesRequest]) (*connect.Response[querierv1.SelectMergeStacktracesResponse], error) {
	msg, lim := req.Msg, &q.server.limits
	if msg.Format != querierv1.ProfileFormat_PROFILE_FORMAT_UNSPECIFIED &&
		msg.Format != querierv1.ProfileFormat_PROFILE_FORMAT_FLAMEGRAPH {
		return nil, unimplemented("format " + msg.Format.String())
	}
	if msg.StackTraceSelector != nil || len(msg.ProfileIdSelector) > 0 {
		return nil, unimplemented("selection by stack or profile id")
	}
	maxNodes := msg.GetMaxNodes()
	if maxNodes == 0 {
		maxNodes = lim.flameGraphNodes
	}
	if maxNodes < 0 || maxNodes > lim.maxFlameGraphNodes {
		return nil, invalid(fmt.Errorf("max_nodes is %d, it may be 1 to %d",
			maxNodes, lim.maxFlameGraphNodes))
	}
	_, _, profiles, err := q.selectProfiles(ctx, msg.ProfileTypeID, msg.LabelSelector, msg.Start, msg.End)
	if err != nil {
		return nil, err
	}
	tree := &stackNode{}
	for _, p := range profiles {
		tree.addProfile(p)
	}
	return connect.NewResponse(&querierv1.SelectMergeStacktracesResponse{
		Flamegraph: tree.flameGraph(maxNodes),
	}), nil
}

func (q *querier) SelectMergeProfile(ctx context.Context, req *connect.Request[querierv1.SelectMergeProfileRequest]) (*connect.Response[googlev1.Profile], error) {
	msg := req.Msg
	if msg.StackTraceSelector != nil || len(msg.ProfileIdSelector) > 0 || msg.GetMaxNodes() != 0 {
		return nil, unimplemented("selection by stack or profile id and max_nodes")
	}
	kind, r, profiles, err := q.selectProfiles(ctx, msg.ProfileTypeID, msg.LabelSelector, msg.Start, msg.End)
	if err != nil {
		return nil, err
	}
	merged, err := mergeProfiles(kind, r, profiles)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	return connect.NewResponse(merged), nil
}

// mergeProfiles adds profiles of one type up. The result's time is the end of
// the range and its duration the whole range, as the server has it.
func mergeProfiles(kind profileType, r timeRange, profiles []*profile.Profile) (*googlev1.Profile, error) {
	merged := &profile.Profile{}
	if len(profiles) > 0 {
		var err error
		if merged, err = profile.Merge(profiles); err != nil {
			return nil, fmt.Errorf("merging profiles: %w", err)
		}
	}
	// Merge shares the first profile's types, and writing changes them.
	merged.SampleType = []*profile.ValueType{{Type: kind.sampleType, Unit: kind.sampleUnit}}
	merged.PeriodType = &profile.ValueType{Type: kind.periodType, Unit: kind.periodUnit}
	merged.DefaultSampleType = kind.sampleType
	merged.TimeNanos = r.end * 1e6
	merged.DurationNanos = (r.end - r.start) * 1e6

	var plain bytes.Buffer
	if err := merged.WriteUncompressed(&plain); err != nil {
		return nil, fmt.Errorf("writing the merged profile: %w", err)
	}
	pb := &googlev1.Profile{}
	if err := proto.Unmarshal(plain.Bytes(), pb); err != nil {
		return nil, fmt.Errorf("reading the merged profile: %w", err)
	}
	return pb, nil
}

// selectProfiles finds what the two SelectMerge methods merge.
func (q *querier) selectProfiles(ctx context.Context, typeID, selectorText string, start, end int64) (kind profileType, r timeRange, profiles []*profile.Profile, err error) {
	if r, err = q.timeRange(start, end); err != nil {
		return
	}
	if kind, err = parseProfileType(typeID); err != nil {
		err = invalid(err)
		return
	}
	sel, err := parseSelector(selectorText)
	if err != nil {
		err = invalid(err)
		return
	}
	profiles = q.server.tenant(ctx).store.profiles(r, kind, sel)
	return
}

// find returns the series in a range that satisfy any of the matchers.
func (q *querier) find(ctx context.Context, start, end int64, matchers []string) ([]series, error) {
	r, err := q.timeRange(start, end)
	if err != nil {
		return nil, err
	}
	sels, err := parseSelectors(matchers)
	if err != nil {
		return nil, invalid(err)
	}
	return q.server.tenant(ctx).store.find(r, sels), nil
}

func (q *querier) timeRange(start, end int64) (timeRange, error) {
	most := q.server.limits.queryRange
	switch {
	case start <= 0 || end <= 0:
		return timeRange{}, invalid(errors.New("start and end of the time range are required, in milliseconds"))
	case start > end:
		return timeRange{}, invalid(fmt.Errorf("time range ends at %d, before its start at %d", end, start))
	case end-start > most.Milliseconds():
		return timeRange{}, invalid(fmt.Errorf("time range of %d ms exceeds the limit of %s",
			end-start, most.Round(time.Second)))
	}
	return timeRange{start, end}, nil
}

func unimplemented(what string) error {
	return connect.NewError(connect.CodeUnimplemented,
		errors.New(what+": not implemented by this test server"))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
