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

const (
	readyTimeout = 5 * time.Second
	askTimeout   = 3 * time.Second
)

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

// replicas counts the servers that share the database, as far as this one knows.
func (s *Server) replicas() int {
	if t := s.current.Load(); t != nil {
		return t.store.Members()
	}
	return 0
}

// ready answers 200 when the server owns its directories, metadata can be read and the data directory is there, else
// 503; the reasons are in the JSON.
func (s *Server) ready(ctx context.Context, w http.ResponseWriter) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	checks := s.checks(ctx)
	if s.draining.Load() {
		checks["server"] = "shutting down"
	}
	status := http.StatusOK
	for _, outcome := range checks {
		if outcome != "ok" {
			status = http.StatusServiceUnavailable
		}
	}
	answer := map[string]any{"ready": status == http.StatusOK, "checks": checks}
	if s.opt.Database == "" {
		epoch := s.Epoch()
		answer["owner"], answer["epoch"] = epoch > 0, epoch
	} else {
		answer["replicas"] = s.replicas()
	}
	writeJSON(w, status, answer)
}

// checks gives "ok" or what is wrong. A volume that hangs makes it wait for ctx, and no longer.
func (s *Server) checks(ctx context.Context) map[string]string {
	t := s.current.Load()
	if t == nil {
		reason := "starting"
		if r := s.standing.Load(); r != nil {
			reason = *r
		}
		if s.opt.Database != "" {
			return map[string]string{"metadata": reason}
		}
		return map[string]string{"ownership": "standing by: " + reason}
	}
	if t.epoch == nil {
		return s.answers(ctx, t, map[string]string{})
	}
	if silent := t.epoch.SilentFor(); silent > lifeTimeout {
		return map[string]string{"ownership": fmt.Sprintf("not proven for %v: the volume of %s does not answer", silent.Round(time.Second), s.opt.MetadataDir)}
	}
	return s.answers(ctx, t, map[string]string{"ownership": "ok"})
}

// answers adds whether metadata and data can be read.
func (s *Server) answers(ctx context.Context, t *tenure, checks map[string]string) map[string]string {
	outcome := func(err error) string {
		if err != nil {
			return err.Error()
		}
		return "ok"
	}
	done := make(chan map[string]string, 1)
	go func() {
		ask, cancel := context.WithTimeout(ctx, askTimeout) // sooner than the answer is due, to give the reason
		defer cancel()
		_, _, err := t.store.ListBuckets(ask, store.ListBucketsQuery{Max: 1})
		checks["metadata"], checks["data"] = outcome(err), outcome(checkDir(s.opt.DataDir))
		done <- checks
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
