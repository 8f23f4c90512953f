package fstest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"pail/s3client"
	s3server "pail/server"
)

// The credentials of an ownServer.
const ownAccess, ownSecret = "fstest", "fstest-secret-key"

// ownServer is pail's server in the process that mounts.
type ownServer struct {
	url  string
	dir  string
	srv  *s3server.Server
	stop context.CancelFunc
	done chan error
}

func newOwnServer() (s *ownServer, err error) {
	s = &ownServer{done: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp("", "fstest-s3-"); err != nil {
		return nil, err
	}
	s.srv, err = s3server.New(s3server.Options{DataDir: filepath.Join(s.dir, "data"), MetadataDir: filepath.Join(s.dir, "metadata"),
		Keys: s3server.KeyList{{AccessKey: ownAccess, SecretKey: ownSecret}}})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, s.srv.Close(), os.RemoveAll(s.dir))
	}
	s.url = "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.done <- s3server.Serve(ctx, l, s.srv.Handler(), s3server.ServeOptions{}) }()
	return s, nil
}

func (s *ownServer) close() error {
	s.stop()
	return errors.Join(<-s.done, s.srv.Close(), os.RemoveAll(s.dir))
}

// leasedService gives an empty bucket of pail's own server.
func (b *bucket) leasedService() (s3client.Client, error) {
	if b.own == nil {
		own, err := newOwnServer()
		if err != nil {
			return nil, err
		}
		b.own = own
	}
	return newBucket(b.own.url, ownAccess, ownSecret)
}

// lease has the mount get a lease on all that is in the bucket.
func (s *server) lease(t *testing.T) {
	t.Helper()
	for _, name := range []string{"lease-1", "lease-2", "lease-3"} {
		at := filepath.Join(s.dir, name)
		f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		must(t, err)
		must(t, f.Close())
		must(t, os.Remove(at))
	}
}
