package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"pail/server/internal/meta"
	"pail/server/internal/owner"
	"pail/server/internal/s3err"
)

const (
	standbyPoll = 200 * time.Millisecond // between two attempts to take over
	retryAfter  = 1                      // second, for the clients of a standby

	// After an attempt that failed otherwise than by there being an owner, the pauses are twice as long each time.
	firstRetry, lastRetry = 100 * time.Millisecond, 5 * time.Second
)

// run owns the directories or waits for them, in turn, until ctx ends. t is the tenure that is installed, nil to wait.
func (s *Server) run(ctx context.Context, t *tenure) {
	for ctx.Err() == nil {
		if t == nil {
			if t = s.wait(ctx); t == nil {
				return
			}
			s.install(t)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.lost():
		}
		s.opt.Log.Warn("another server has taken over: standing by", "epoch", t.epoch.Number())
		s.retire(t)
		t = nil
	}
}

// wait takes the directories over as soon as it can, nil when ctx has ended.
func (s *Server) wait(ctx context.Context) *tenure {
	var retry time.Duration
	for {
		t, err := s.begin()
		if err == nil {
			return t
		}
		s.standBy(err)
		pause := standbyPoll
		if retry = nextRetry(retry, err); retry > 0 {
			pause = retry
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// nextRetry gives the pause after an attempt that failed, given the one before it; 0 where there is an owner to wait for.
func nextRetry(last time.Duration, err error) time.Duration {
	if waits(err) {
		return 0
	}
	return min(max(2*last, firstRetry), lastRetry)
}

// begin takes the directories over and serves from them.
func (s *Server) begin() (*tenure, error) {
	if s.opt.Database != "" {
		return s.connect()
	}
	t, err := s.take()
	if err != nil {
		return nil, err
	}
	if err := t.serve(s); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// waits tells a server that has to stand by from one that cannot serve.
func waits(err error) bool { return errors.Is(err, ErrInUse) || errors.Is(err, meta.ErrUnavailable) }

// standBy notes why the server does not own its directories, and logs it when it is news.
func (s *Server) standBy(why error) {
	reason := why.Error()
	var held *owner.HeldError
	if errors.As(why, &held) {
		reason = held.Error()
	}
	if old := s.standing.Swap(&reason); old != nil && *old == reason {
		return
	}
	if waits(why) {
		s.opt.Log.Info("standing by", "reason", reason)
	} else {
		s.opt.Log.Error("cannot take over", "err", why)
	}
}

// install lets requests in.
func (s *Server) install(t *tenure) {
	s.current.Store(t)
	s.standing.Store(nil)
	if t.epoch == nil {
		s.opt.Log.Info("serving, together with others of the same database", "data", s.opt.DataDir)
	} else {
		s.takeovers.Add(1)
		s.opt.Log.Info("serving", "metadata", t.epoch.Dir(), "epoch", t.epoch.Number())
	}
	s.owning.Do(func() { close(s.owned) })
}

// retire lets no more requests in, and closes the tenure when those under way have ended, which a volume that hangs may
// delay; the next tenure does not wait for that.
func (s *Server) retire(t *tenure) {
	s.current.Store(nil)
	s.retiring.Go(func() {
		if err := t.end(); err != nil {
			s.opt.Log.Warn("closing what another server has taken over", "epoch", t.epoch.Number(), "err", err)
		}
	})
}

// Owned is closed when the server owns its directories for the first time.
func (s *Server) Owned() <-chan struct{} { return s.owned }

// whenOwner answers requests with a handler of the tenure, if there is one.
func (s *Server) whenOwner(with func(*tenure) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := s.current.Load()
		if t == nil || !t.running.TryRLock() {
			refuseAsStandby(w, r)
			return
		}
		defer t.running.RUnlock()
		with(t).ServeHTTP(w, r)
	})
}

// refuseAsStandby answers that another server is the one to ask. It ends the connection, so that what spreads
// connections over the servers has another choice.
func refuseAsStandby(w http.ResponseWriter, r *http.Request) {
	body := s3err.New(s3err.ServiceUnavailable).WithMessage("This server stands by for another. Please try again.").
		AppendXML(nil, s3err.Context{Resource: r.URL.Path})
	h := w.Header()
	h.Set("Server", "pail")
	h.Set("Retry-After", strconv.Itoa(retryAfter))
	h.Set("Connection", "close")
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusServiceUnavailable)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that is gone needs no answer
	}
}
