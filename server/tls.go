package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certCheck is how often a handshake may look whether the files have changed.
const certCheck = 5 * time.Second

// TLSFiles gives a TLS configuration with the certificate (chain) and key of two PEM files. The files are read again
// when they change; while the new ones cannot be read, the old certificate is used and the failure logged.
func TLSFiles(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := &certFiles{cert: certFile, key: keyFile, log: log}
	if err := f.load(); err != nil {
		return nil, err
	}
	return baseTLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current(time.Now()), nil }), nil
}

func baseTLS(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: get}
}

// certFiles is a pair of files and the certificate they held when last read.
type certFiles struct {
	cert, key string
	log       *slog.Logger

	mu struct {
		sync.Mutex
		loaded  *tls.Certificate
		state   [2]fileState
		checked time.Time
	}
}

type fileState struct {
	modified time.Time
	size     int64
}

func (f *certFiles) current(now time.Time) *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.mu.checked) < certCheck {
		return f.mu.loaded
	}
	f.mu.checked = now
	if state, err := f.stat(); err != nil || state != f.mu.state {
		if err == nil {
			err = f.loadLocked()
		}
		if err != nil {
			f.log.Error("TLS certificate not reloaded, the old one stays in use", "error", err)
		}
	}
	return f.mu.loaded
}

func (f *certFiles) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loadLocked()
}

func (f *certFiles) loadLocked() error {
	state, err := f.stat()
	if err != nil {
		return err
	}
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("TLS certificate %s with key %s: %w", f.cert, f.key, err)
	}
	f.mu.loaded, f.mu.state = &c, state
	return nil
}

func (f *certFiles) stat() (state [2]fileState, err error) {
	for i, path := range []string{f.cert, f.key} {
		info, err := os.Stat(path)
		if err != nil {
			return state, err
		}
		state[i] = fileState{info.ModTime(), info.Size()}
	}
	return state, nil
}
