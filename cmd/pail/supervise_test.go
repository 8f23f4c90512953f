package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"pail/fs"
)

// fakeSession is a mount that is busy for the first attempts to unmount it.
type fakeSession struct {
	gone     chan struct{}
	busy     int
	closeErr error
	calls    []string
	synced   atomic.Int32
}

func (f *fakeSession) Wait() { <-f.gone }

func (f *fakeSession) Unmount(context.Context) error {
	f.calls = append(f.calls, "unmount")
	if f.busy--; f.busy >= 0 {
		return fs.ErrBusy
	}
	close(f.gone)
	return nil
}

func (f *fakeSession) Sync(context.Context) error {
	f.synced.Add(1)
	return nil
}

func (f *fakeSession) Detach() error {
	f.calls = append(f.calls, "detach")
	return nil
}

func (f *fakeSession) Close(context.Context) error {
	f.calls = append(f.calls, "close")
	return f.closeErr
}

func TestSupervisor(t *testing.T) {
	unsent := errors.New("one file unsent")
	for _, test := range []struct {
		name     string
		busy     int
		closeErr error
		signals  []os.Signal
		calls    string
		fails    bool
	}{
		{"terminated", 0, nil, []os.Signal{syscall.SIGTERM}, "unmount close", false},
		{"data stays unsent", 0, unsent, []os.Signal{syscall.SIGINT}, "unmount close", true},
		{"busy, then insisted", 2, nil, []os.Signal{syscall.SIGINT, syscall.SIGINT}, "unmount unmount detach close", true},
		{"busy, then closed", 1, nil, []os.Signal{syscall.SIGINT, syscall.SIGINT}, "unmount unmount close", false},
		{"other signals do not end it", 0, nil, []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM}, "reopen louder unmount close", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := &fakeSession{gone: make(chan struct{}), busy: test.busy, closeErr: test.closeErr}
			signals := make(chan os.Signal, len(test.signals))
			for _, sig := range test.signals {
				signals <- sig
			}
			s := &supervisor{
				session: session,
				signals: signals,
				log:     slog.New(slog.DiscardHandler),
				reopen:  func() error { session.calls = append(session.calls, "reopen"); return nil },
				louder:  func() { session.calls = append(session.calls, "louder") },
			}
			err := s.run()
			if (err != nil) != test.fails {
				t.Errorf("returned %v", err)
			}
			if test.closeErr != nil && !errors.Is(err, test.closeErr) {
				t.Errorf("returned %v, want %v", err, test.closeErr)
			}
			if got := strings.Join(session.calls, " "); got != test.calls {
				t.Errorf("did %q, want %q", got, test.calls)
			}
			if n := int(session.synced.Load()); n == 0 {
				t.Error("open files were not synced")
			}
		})
	}
}

func TestSupervisorEndsWhenSomebodyElseUnmounts(t *testing.T) {
	session := &fakeSession{gone: make(chan struct{})}
	close(session.gone)
	s := &supervisor{session: session, log: slog.New(slog.DiscardHandler)}
	if err := s.run(); err != nil || strings.Join(session.calls, " ") != "close" {
		t.Errorf("%v, did %q", err, session.calls)
	}
}

// A process that is told to end may be killed soon after: what open files have must be on its way before their users are
// waited for.
func TestSignalStoresOpenFilesOfABusyMount(t *testing.T) {
	session := &fakeSession{gone: make(chan struct{}), busy: 1 << 30}
	stored := make(chan struct{})
	signals := make(chan os.Signal, 1)
	s := &supervisor{session: syncSession{session, stored}, signals: signals, log: slog.New(slog.DiscardHandler)}
	ended := make(chan error)
	go func() { ended <- s.run() }()
	signals <- syscall.SIGTERM
	<-stored
	close(session.gone) // its users are done
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// syncSession tells when it is synced.
type syncSession struct {
	*fakeSession
	stored chan struct{}
}

func (s syncSession) Sync(context.Context) error {
	close(s.stored)
	return nil
}
