package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	// unmountPatience is how long an unmount asked for by a signal waits for the last user of the mount.
	unmountPatience = 5 * time.Second
	// commitPatience is how long the data that is not yet on the server may take.
	commitPatience = 30 * time.Minute
)

// mounted is a *fs.Session.
type mounted interface {
	Wait()
	Unmount(context.Context) error
	Sync(context.Context) error
	Detach() error
	Close(context.Context) error
}

// supervisor keeps a mount until somebody unmounts it or a signal asks for it.
type supervisor struct {
	session mounted
	signals <-chan os.Signal
	log     *slog.Logger
	reopen  func() error // SIGHUP: the log file
	louder  func()       // SIGUSR2: the next log level

	syncing sync.WaitGroup
}

// notify returns the signals that a supervisor understands. SIGUSR1 is taken too, so that it does no harm: s3fs checks
// its cache upon it.
func notify() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	return signals, func() { signal.Stop(signals) }
}

// run returns when the volume is unmounted and all data is on the server, or with what is not.
func (s *supervisor) run() error {
	gone := make(chan struct{})
	go func() {
		s.session.Wait()
		close(gone)
	}()
	detached := s.untilUnmounted(gone)
	s.syncing.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), commitPatience)
	defer cancel()
	return errors.Join(detached, s.session.Close(ctx))
}

// untilUnmounted serves signals until the volume is unmounted. The error says that its users were not done.
func (s *supervisor) untilUnmounted(gone <-chan struct{}) error {
	busy := false
	for {
		select {
		case <-gone:
			return nil
		case sig := <-s.signals:
			switch sig {
			case syscall.SIGHUP:
				if err := s.reopen(); err != nil {
					s.log.Error("cannot reopen the log file", "error", err)
				}
			case syscall.SIGUSR2:
				s.louder()
			case syscall.SIGINT, syscall.SIGTERM:
				s.sync()
				if err := s.unmount(busy); err != nil {
					return err
				}
				busy = true
			}
		}
	}
}

// sync stores what open files have, while the unmount waits for their users: whoever sends a signal may kill the process
// before these are done.
func (s *supervisor) sync() {
	s.syncing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), commitPatience)
		defer cancel()
		if err := s.session.Sync(ctx); err != nil {
			s.log.Error("not everything that is written could be sent; it is tried again", "error", err)
		}
	})
}

// unmount unmounts in order if it can. When that was tried before, it unmounts whatever the users do, and returns an
// error then.
func (s *supervisor) unmount(insist bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), unmountPatience)
	defer cancel()
	err := s.session.Unmount(ctx)
	switch {
	case err == nil:
		return nil
	case !insist:
		s.log.Error("cannot unmount; close the files in it, or send the signal again to unmount anyway", "error", err)
		return nil
	}
	s.log.Error("unmounting a busy mount: what is written is sent now, what its users write from now on is lost")
	return errors.Join(errors.New("unmounted while busy"), s.session.Detach())
}
