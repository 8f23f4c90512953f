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

	"pail/server/internal/blob"
	"pail/server/internal/lifecycle"
	"pail/server/internal/meta"
	"pail/server/internal/meta/pebbledb"
	"pail/server/internal/metrics"
	"pail/server/internal/s3api"
	"pail/server/internal/sigauth"
	"pail/server/internal/sse"
	"pail/server/internal/store"
)

// dbDir is the database below the metadata directory.
const dbDir = "db"

// Server is an open S3 server. It is safe for concurrent use.
type Server struct {
	opt      Options
	registry *prometheus.Registry
	handler  http.Handler
	websites http.Handler

	keys  *sse.Keys
	lock  *os.File
	db    meta.DB
	store *store.Store

	idle       idle
	draining   atomic.Bool
	stop       context.CancelFunc // ends background work
	background sync.WaitGroup
}

// New opens the directories and makes the handlers. An error names the directory and what is wrong with it; ErrInUse
// means that another process has it. The caller closes the Server.
func New(opt Options) (*Server, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Region == "" {
		opt.Region = DefaultRegion
	}
	if opt.Keys == nil || opt.DataDir == "" || opt.MetadataDir == "" {
		return nil, errors.New("server: DataDir, MetadataDir and Keys are required")
	}
	s := &Server{opt: opt, registry: prometheus.NewRegistry()}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.wire(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.startBackground()
	return s, nil
}

// open takes the directories and what is in them.
func (s *Server) open() error {
	for _, dir := range []string{s.opt.MetadataDir, s.opt.DataDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making directory %s: %w", dir, err)
		}
	}
	return s.openStore(store.Options{Now: s.opt.Now, AccountQuota: accountQuota(s.opt.Keys)})
}

// openStore opens what is in the directories, which exist.
func (s *Server) openStore(opt store.Options) error {
	var err error
	if s.keys, err = s.opt.openKeys(); err != nil {
		return err
	}
	opt.Keys = s.keys
	if s.lock, err = lockDir(s.opt.DataDir); err != nil {
		return err
	}
	if err := pairDirs(s.opt.MetadataDir, s.opt.DataDir); err != nil {
		return err
	}
	db := filepath.Join(s.opt.MetadataDir, dbDir)
	if s.db, err = pebbledb.Open(db, pebbledb.Options{Log: s.opt.Log}); err != nil {
		s.db = nil
		if errors.Is(err, meta.ErrLocked) {
			return fmt.Errorf("metadata directory %s: %w", s.opt.MetadataDir, ErrInUse)
		}
		return fmt.Errorf("opening the metadata in %s: %w", db, err)
	}
	blobs, err := blob.Open(s.opt.DataDir, blob.Options{})
	if err != nil {
		return fmt.Errorf("opening the data directory %s: %w", s.opt.DataDir, err)
	}
	opt.DB, opt.Blobs, opt.Log = s.db, blobs, s.opt.Log
	s.store, err = store.Open(context.Background(), opt)
	if err != nil {
		s.store = nil
		return fmt.Errorf("opening the store in %s: %w", s.opt.MetadataDir, err)
	}
	return nil
}

// wire makes the handlers over the open store.
func (s *Server) wire() error {
	requests, err := metrics.New(s.registry)
	if err != nil {
		return err
	}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	keys, accounts, several := directory(s.opt.Keys)
	verifier := sigauth.New(sigauth.Options{Keys: keys, Region: s.opt.Region, Domains: s.opt.Domains, Now: s.opt.Now})
	api := s3api.New(s3api.Options{Store: s.store, Keys: s.keys, Verifier: verifier, Encrypt: s.opt.DefaultEncryption,
		InsecureCustomerKeys: s.opt.InsecureCustomerKeys, Accounts: accounts, Several: several,
		WebsiteDomains: s.opt.WebsiteDomains, Ownership: s.opt.ObjectOwnership, BlockPublic: s.opt.BlockPublicAccess, Region: s.opt.Region, Domains: s.opt.Domains,
		Log: s.opt.Log, Now: s.opt.Now, Observe: observer{requests, &s.idle, s.opt.Observe}, ClientTimeout: s.opt.ClientTimeout})
	s.handler, s.websites = api, api.Websites()
	return nil
}

// startBackground lets the rules of buckets be done, and memory be given back, until Close.
func (s *Server) startBackground() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	scanner := lifecycle.NewScanner(lifecycle.Options{Store: s.store, Now: s.opt.Now, Day: s.opt.LifecycleDay, Log: s.opt.Log})
	s.background.Go(func() { scanner.Run(ctx) })
	s.background.Go(func() { s.idle.run(ctx) })
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

// Handler is the S3 API, and the websites below Options.WebsiteDomains.
func (s *Server) Handler() http.Handler { return s.handler }

// WebsiteHandler has websites only: a host that is below none of Options.WebsiteDomains is itself a bucket's name.
func (s *Server) WebsiteHandler() http.Handler { return s.websites }

// Drain makes /ready answer that the server is going away. Requests are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// Close closes the store. The handlers must have answered their last request. It may be called twice.
func (s *Server) Close() error {
	var errs []error
	if s.stop != nil {
		s.stop()
		s.background.Wait()
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
		s.store = nil
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
		s.db = nil
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}
