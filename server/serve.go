package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	readHeaderTimeout = 30 * time.Second
	idleTimeout       = 120 * time.Second
	drainTimeout      = 60 * time.Second

	// maxHeaderBytes is where net/http itself answers 431; the S3 API answers with S3's own error from half of that.
	maxHeaderBytes = 64 << 10
)

// Serve answers on l with h until ctx ends, and over TLS when tlsConfig is not nil. It then lets the requests under way
// finish, for a minute at most, and returns nil. It closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, tlsConfig *tls.Config, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	hs := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	hs.Protocols.SetHTTP1(true) // HTTP/2 gains an S3 client nothing and costs copies
	if tlsConfig != nil {
		c := tlsConfig.Clone()
		c.NextProtos = []string{"http/1.1"}
		l = tls.NewListener(l, c)
	}
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
	if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
