// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"regexp"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/grafana/pyroscope/api/gen/proto/go/push/v1/pushv1connect"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
)

const (
	tenantHeader    = "X-Scope-OrgID"
	anonymousTenant = "anonymous"
)

// server answers pushes and queries from memory.
type server struct {
	limits  limits
	tenants bool      // whether each request has to name its tenant
	record  *recorder // nil: record nothing
	now     func() time.Time
	log     *log.Logger

	pushing   sync.Mutex // one push at a time: bounds memory, orders records
	heldBytes int64      // under pushing

	mu        sync.Mutex
	perTenant map[string]*tenant // under mu
}

type tenant struct {
	store  *store
	bucket *tokenBucket // under server.pushing
}

func newServer(lim limits) *server {
	return &server{
		limits:    lim,
		now:       time.Now,
		log:       log.New(io.Discard, "", 0),
		perTenant: make(map[string]*tenant),
	}
}

// handler serves the API below base, which is empty or begins with a slash.
func (s *server) handler(base string) http.Handler {
	options := connect.WithHandlerOptions(
		connect.WithInterceptors(connect.UnaryInterceptorFunc(s.authenticate)),
		connect.WithReadMaxBytes(s.limits.requestBytes),
	)
	mux := http.NewServeMux()
	mux.Handle(pushv1connect.NewPusherServiceHandler(&pusher{server: s}, options))
	mux.Handle(querierv1connect.NewQuerierServiceHandler(&querier{server: s}, options))
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("POST /compact", func(w http.ResponseWriter, _ *http.Request) {
		s.compact()
		fmt.Fprintln(w, "compacted")
	})
	if base == "" {
		return mux
	}
	return http.StripPrefix(base, mux)
}

type tenantKey struct{}

// tenantRE is the shape of a tenant id on the real server.
var tenantRE = regexp.MustCompile(`^[a-zA-Z0-9!_.*'()-]{1,150}$`)

// authenticate finds the tenant. Without -tenants the header has no meaning,
// as on a real server without multi-tenancy.
func (s *server) authenticate(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		id := anonymousTenant
		if s.tenants {
			id = req.Header().Get(tenantHeader)
			if id == "" {
				return nil, connect.NewError(connect.CodeUnauthenticated,
					errors.New("no org id: the header "+tenantHeader+" is missing"))
			}
			if !tenantRE.MatchString(id) {
				return nil, invalid(fmt.Errorf("%s %q is not valid, it must match %s",
					tenantHeader, shorten(id), tenantRE))
			}
		}
		return next(context.WithValue(ctx, tenantKey{}, id), req)
	}
}

func tenantID(ctx context.Context) string {
	id, _ := ctx.Value(tenantKey{}).(string)
	return id
}

func (s *server) tenant(ctx context.Context) *tenant {
	id := tenantID(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.perTenant[id]
	if !ok {
		t = &tenant{
			store:  newStore(),
			bucket: newTokenBucket(s.limits.rateBytes, s.limits.burstBytes, s.now()),
		}
		s.perTenant[id] = t
	}
	return t
}

// compact compacts the stores of all tenants.
func (s *server) compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.perTenant {
		t.store.compact()
	}
}

// invalid makes an error of the request's own, HTTP status 400.
func invalid(err error) error {
	return connect.NewError(connect.CodeInvalidArgument, err)
}
