// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"github.com/google/pprof/profile"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
)

// pusher is the push.v1 service.
type pusher struct {
	server *server
}

// Push takes all profiles of a request. As on the real server a profile that
// cannot be read refuses the whole request before anything is stored, while
// of several series with valid profiles those are stored whose labels are
// valid, too; the call fails all the same if any of them fails.
func (p *pusher) Push(ctx context.Context, req *connect.Request[pushv1.PushRequest]) (*connect.Response[pushv1.PushResponse], error) {
	s := p.server
	s.pushing.Lock()
	defer s.pushing.Unlock()

	err := s.push(s.tenant(ctx), req.Msg)
	if err != nil {
		s.log.Printf("push refused: %v", err)
	}
	if s.record != nil {
		if rerr := s.record.push(s.now(), tenantID(ctx), req.Header(), req.Msg, err); rerr != nil {
			s.log.Printf("recording a push: %v", rerr)
			err = errors.Join(err, connect.NewError(connect.CodeInternal, rerr))
		}
	}
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pushv1.PushResponse{}), nil
}

// pushedProfile is a profile that has passed validation and still has to be
// split into series.
type pushedProfile struct {
	labels  labels
	profile *profile.Profile
}

func (s *server) push(t *tenant, msg *pushv1.PushRequest) error {
	plain, size, err := s.decompressAll(msg)
	if err != nil {
		return invalid(err)
	}
	if len(plain) == 0 {
		return invalid(errors.New("no profiles received"))
	}
	if !t.bucket.take(float64(size), s.now()) {
		return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf(
			"push of %d bytes exceeds the ingestion rate limit (%.0f bytes a second, at most %.0f at once)",
			size, t.bucket.rate, t.bucket.burst))
	}
	if s.heldBytes+size > s.limits.storeBytes {
		return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf(
			"this test server holds %d bytes of profiles already, at most %d fit its memory",
			s.heldBytes, s.limits.storeBytes))
	}

	var pushed []pushedProfile
	next := 0
	for _, series := range msg.Series {
		ls := newLabels(series.GetLabels()).with(
			label{labelServiceName, "unknown_service"})
		for range series.GetSamples() {
			prof, cut, err := s.limits.decodeProfile(plain[next], s.now())
			if err != nil {
				return invalid(err)
			}
			if cut > 0 {
				s.log.Printf("profile of %s: %d stacks or strings exceeded a limit and were cut",
					shorten(ls.String()), cut)
			}
			pushed = append(pushed, pushedProfile{ls, prof})
			next++
		}
	}
	s.heldBytes += size
	return s.storeAll(t, pushed)
}

// decompressAll returns the request's profiles, in order, and their total
// size.
func (s *server) decompressAll(msg *pushv1.PushRequest) (plain [][]byte, size int64, err error) {
	for _, series := range msg.Series {
		for _, sample := range series.GetSamples() {
			p, err := decompress(sample.GetRawProfile(), s.limits.profileBytes)
			if err != nil {
				return nil, 0, err
			}
			size += int64(len(p))
			if size > s.limits.storeBytes {
				return nil, 0, fmt.Errorf("profiles of one request exceed %d bytes",
					s.limits.storeBytes)
			}
			plain = append(plain, p)
		}
	}
	return plain, size, nil
}

// storeAll splits profiles into series by their samples' labels. One group
// with invalid labels keeps its whole profile out.
func (s *server) storeAll(t *tenant, pushed []pushedProfile) error {
	var errs []error
next:
	for _, p := range pushed {
		groups := groupSamples(p.profile, p.labels)
		for _, g := range groups {
			if err := s.limits.validateLabels(g.labels); err != nil {
				errs = append(errs, err)
				continue next
			}
		}
		t.store.add(p.profile, groups)
	}
	if len(errs) > 0 {
		return invalid(errors.Join(errs...))
	}
	return nil
}
