package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pail/server/internal/store"
)

const readyTimeout = 5 * time.Second

// MetricsHandler serves /live, /ready and /metrics. It asks for no credentials and shows no secret, but it is meant for
// an address that only operators reach.
func (s *Server) MetricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"live": true})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		s.ready(r.Context(), w)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	return mux
}

// lifeTimeout is how long an owner may fail to prove itself and still call itself ready.
const lifeTimeout = 5 * time.Second

// ready answers 200 when the server owns its directories, metadata can be read and the data directory is there, else
// 503; the reasons are in the JSON.
func (s *Server) ready(ctx context.Context, w http.ResponseWriter) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	checks := s.checks(ctx)
	if s.draining.Load() {
		checks["server"] = "shutting down"
	}
	status, epoch := http.StatusOK, s.Epoch()
	for _, outcome := range checks {
		if outcome != "ok" {
			status = http.StatusServiceUnavailable
		}
	}
	writeJSON(w, status, map[string]any{"ready": status == http.StatusOK, "owner": epoch > 0, "epoch": epoch, "checks": checks})
}

// checks gives "ok" or what is wrong. A volume that hangs makes it wait for ctx, and no longer.
func (s *Server) checks(ctx context.Context) map[string]string {
	t := s.current.Load()
	if t == nil {
		reason := "starting"
		if r := s.standing.Load(); r != nil {
			reason = *r
		}
		return map[string]string{"ownership": "standing by: " + reason}
	}
	if silent := t.epoch.SilentFor(); silent > lifeTimeout {
		return map[string]string{"ownership": fmt.Sprintf("not proven for %v: the volume of %s does not answer", silent.Round(time.Second), s.opt.MetadataDir)}
	}
	outcome := func(err error) string {
		if err != nil {
			return err.Error()
		}
		return "ok"
	}
	done := make(chan map[string]string, 1)
	go func() {
		_, _, err := t.store.ListBuckets(ctx, store.ListBucketsQuery{Max: 1})
		done <- map[string]string{"ownership": "ok", "metadata": outcome(err), "data": outcome(checkDir(s.opt.DataDir))}
	}()
	select {
	case checks := <-done:
		return checks
	case <-ctx.Done():
		return map[string]string{"metadata": "no answer within " + readyTimeout.String()}
	}
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	return err
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
