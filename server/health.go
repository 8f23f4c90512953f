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

// ready answers 200 when metadata can be read and the data directory is there, else 503; the reasons are in the JSON.
func (s *Server) ready(ctx context.Context, w http.ResponseWriter) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	checks := map[string]string{"metadata": "ok", "data": "ok"}
	ready := true
	fail := func(name string, err error) {
		if err != nil {
			checks[name], ready = err.Error(), false
		}
	}
	_, _, err := s.store.ListBuckets(ctx, store.ListBucketsQuery{Max: 1})
	fail("metadata", err)
	fail("data", checkDir(s.opt.DataDir))
	if s.draining.Load() {
		fail("server", fmt.Errorf("shutting down"))
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, map[string]any{"ready": ready, "checks": checks})
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
