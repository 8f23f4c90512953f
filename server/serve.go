package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"pail/server/internal/s3api"
)

const (
	readHeaderTimeout = 30 * time.Second
	idleTimeout       = 120 * time.Second
	drainTimeout      = 60 * time.Second

	// maxHeaderBytes is where net/http itself answers 431; the S3 API answers with S3's own error from half of that.
	maxHeaderBytes = 64 << 10
)

// ServeOptions of Serve. The zero value serves plain HTTP.
type ServeOptions struct {
	TLS *tls.Config // nil: no TLS
	Log *slog.Logger
	// ClientTimeout bounds the time that a client takes to send the headers of a request, which is 30 s at most; 0: 30 s.
	ClientTimeout time.Duration
	// MaxConnections is the number of connections of the listener; 0: DefaultMaxConnections. See limiter.
	MaxConnections int
}

// Serve answers on l with h until ctx ends. It then lets the requests under way finish, for a minute at most, and
// returns nil. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, opt ServeOptions) error {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	timeout := min(readHeaderTimeout, cmp.Or(opt.ClientTimeout, readHeaderTimeout))
	limit := newLimiter(l, opt, timeout)
	hs := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: timeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(opt.Log.Handler(), slog.LevelDebug),
		ConnState:         limit.state,
		BaseContext:       func(net.Listener) context.Context { return s3api.WithStopping(context.Background(), ctx.Done()) },
		Protocols:         new(http.Protocols),
	}
	hs.Protocols.SetHTTP1(true) // HTTP/2 gains an S3 client nothing and costs copies
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		err := hs.Shutdown(drain)
		if err != nil {
			err = hs.Close()
		}
		stopped <- err
	}()
	if err := hs.Serve(limit); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
