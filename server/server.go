package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"pail/server/internal/metrics"
	"pail/server/internal/owner"
	"pail/server/internal/s3api"
	"pail/server/internal/sigauth"
)

// Server is an S3 server over two directories, which it owns or stands by for, or over a database and a directory, which it
// shares with others. It is safe for concurrent use.
type Server struct {
	opt      Options
	registry *prometheus.Registry
	requests *metrics.Requests
	verifier *sigauth.Verifier

	dir       *owner.Dir             // of the goroutine that runs
	current   atomic.Pointer[tenure] // nil: standing by
	standing  atomic.Pointer[string] // the reason
	takeovers atomic.Uint64
	owned     chan struct{}
	owning    sync.Once

	idle       idle
	draining   atomic.Bool
	stop       context.CancelFunc // ends background work
	background sync.WaitGroup
	retiring   sync.WaitGroup
}

// New takes the directories and opens what is in them. An error names the directory and what is wrong with it; ErrInUse
// means that another process owns it, unless the options tell to stand by. The caller closes the Server.
func New(opt Options) (*Server, error) {
	if opt.Keys == nil || opt.DataDir == "" || opt.MetadataDir == "" {
		return nil, errors.New("server: DataDir, MetadataDir and Keys are required")
	}
	if opt.Region == "" {
		opt.Region = DefaultRegion
	}
	s := newServer(opt)
	if err := s.wire(); err != nil {
		return nil, err
	}
	for _, dir := range []string{s.opt.MetadataDir, s.opt.DataDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making directory %s: %w", dir, err)
		}
	}
	t, err := s.begin()
	if err != nil && !(opt.Standby && waits(err)) {
		return nil, err
	}
	if err != nil {
		s.standBy(err)
	} else {
		s.install(t)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.background.Go(func() { s.run(ctx, t) })
	s.background.Go(func() { s.idle.run(ctx) })
	return s, nil
}

// newServer makes one that has touched nothing yet.
func newServer(opt Options) *Server {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	dir := owner.New(opt.MetadataDir, owner.Options{Patience: opt.Patience, Log: opt.Log, Legacy: filepath.Join(opt.MetadataDir, dbDir)})
	return &Server{opt: opt, registry: prometheus.NewRegistry(), dir: dir, owned: make(chan struct{})}
}

// wire makes what all tenures share.
func (s *Server) wire() (err error) {
	if s.requests, err = metrics.New(s.registry); err != nil {
		return err
	}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := metrics.Ownership(s.registry, s.Serving, s.Epoch, s.takeovers.Load); err != nil {
		return err
	}
	if s.opt.Database != "" {
		if err := metrics.Replicas(s.registry, s.replicas); err != nil {
			return err
		}
	}
	keys, _, _ := directory(s.opt.Keys)
	s.verifier = sigauth.New(sigauth.Options{Keys: keys, Region: s.opt.Region, Domains: s.opt.Domains, Now: s.opt.Now})
	return nil
}

// api makes the handler over the store of a tenure.
func (s *Server) api(t *tenure) *s3api.API {
	_, accounts, several := directory(s.opt.Keys)
	return s3api.New(s3api.Options{Store: t.store, Keys: t.keys, Verifier: s.verifier, Encrypt: s.opt.DefaultEncryption,
		InsecureCustomerKeys: s.opt.InsecureCustomerKeys, Accounts: accounts, Several: several,
		WebsiteDomains: s.opt.WebsiteDomains, Ownership: s.opt.ObjectOwnership, BlockPublic: s.opt.BlockPublicAccess, Region: s.opt.Region, Domains: s.opt.Domains,
		Log: s.opt.Log, Now: s.opt.Now, Observe: observer{s.requests, &s.idle, s.opt.Observe}, ClientTimeout: s.opt.ClientTimeout,
		AccessLogInterval: s.opt.AccessLogInterval})
}

// observer hands events to the metrics and to the caller's hook.
type observer struct {
	*metrics.Requests
	idle *idle
	hook func(Event)
}

func (o observer) Done(e s3api.Event) {
	o.Requests.Done(e)
	o.idle.requests.Add(1)
	if o.hook != nil {
		o.hook(e)
	}
}

// Handler is the S3 API, and the websites below Options.WebsiteDomains. Where the server stands by, it answers 503
// ServiceUnavailable with Retry-After.
func (s *Server) Handler() http.Handler {
	return s.whenOwner(func(t *tenure) http.Handler { return t.handler })
}

// WebsiteHandler has websites only: a host that is below none of Options.WebsiteDomains is itself a bucket's name.
func (s *Server) WebsiteHandler() http.Handler {
	return s.whenOwner(func(t *tenure) http.Handler { return t.websites })
}

// Epoch is that in which the server owns its directories, 0 while it stands by and where there are no owners.
func (s *Server) Epoch() uint64 {
	if t := s.current.Load(); t != nil && t.epoch != nil {
		return t.epoch.Number()
	}
	return 0
}

// Serving reports whether the server serves, and does not stand by.
func (s *Server) Serving() bool { return s.current.Load() != nil }

// Drain makes /ready answer that the server is going away. Requests are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// Close closes the store and gives the directories up. The handlers must have answered their last request. It may be
// called twice.
func (s *Server) Close() error {
	s.stop()
	s.background.Wait()
	var err error
	if t := s.current.Swap(nil); t != nil {
		err = t.end()
	}
	s.retiring.Wait()
	return err
}
