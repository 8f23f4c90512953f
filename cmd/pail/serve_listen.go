package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"pail/server"
)

// listeners are the open addresses of a server.
type listeners struct {
	s3, websites, metrics []net.Listener
}

// listenAll opens every address, or none. Who connects is answered when serveAll runs.
func (o *serveOptions) listenAll() (l listeners, err error) {
	for _, group := range []struct {
		addrs []string
		open  *[]net.Listener
	}{{o.listen, &l.s3}, {o.websiteListen, &l.websites}, {o.metricsAddrs(), &l.metrics}} {
		for _, addr := range group.addrs {
			opened, err := net.Listen("tcp", addr)
			if err != nil {
				l.close()
				return listeners{}, listenError(addr, err)
			}
			*group.open = append(*group.open, opened)
		}
	}
	return l, nil
}

func (o *serveOptions) metricsAddrs() []string {
	if o.metricsListen == "" {
		return nil
	}
	return []string{o.metricsListen}
}

func (l listeners) close() {
	for _, group := range [][]net.Listener{l.s3, l.websites, l.metrics} {
		for _, open := range group {
			_ = open.Close() // closed already by the one who served on it
		}
	}
}

// serveAll serves on every listener until ctx ends.
func (o *serveOptions) serveAll(ctx context.Context, s *server.Server, l listeners, config *tls.Config, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	context.AfterFunc(ctx, s.Drain)
	run := func(list []net.Listener, h http.Handler, c *tls.Config) {
		for _, open := range list {
			group.Go(func() error {
				return server.Serve(ctx, open, h, server.ServeOptions{TLS: c, Log: log,
					ClientTimeout: o.clientTimeout, MaxConnections: o.maxConnections})
			})
		}
	}
	run(l.metrics, s.MetricsHandler(), nil)
	run(l.websites, s.WebsiteHandler(), config)
	run(l.s3, s.Handler(), config)
	return group.Wait()
}

func listenError(addr string, err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: another program uses it; stop that, or choose another port with --listen", addr)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("cannot listen on %s: only root may use ports below 1024; choose another with --listen", addr)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this machine has no such address; choose another with --listen", addr)
	}
	return fmt.Errorf("cannot listen on %s: %w", addr, err)
}
