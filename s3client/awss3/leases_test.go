package awss3_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/limit"
	"pail/s3client/retry"
	"pail/server/servertest"
)

func joinLeases(t *testing.T, c s3client.Client) s3client.LeaseStream {
	t.Helper()
	s, err := s3client.JoinLeases(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// event waits for an event that is one.
func event(t *testing.T, s s3client.LeaseStream) s3client.LeaseEvent {
	t.Helper()
	for {
		e, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != s3client.LeaseAlive {
			return e
		}
	}
}

func TestLeasesOnServer(t *testing.T) {
	srv := servertest.New(t, servertest.Options{})
	opt := awss3.Options{Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")}
	holder := newClient(t, opt)
	other, err := awss3.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	caps, err := holder.Probe(t.Context())
	if err != nil || !caps.Leases {
		t.Fatalf("%+v, %v", caps, err)
	}
	before := time.Now()
	s := joinLeases(t, retry.New(limit.New(holder, 1, 1), retry.Options{}))
	first, err := s.Next()
	if err != nil || first.Kind != s3client.LeaseAlive || first.Sent.Before(before) || first.Sent.After(time.Now()) {
		t.Errorf("%+v, %v", first, err)
	}
	const prefix, key = "d \xff+/", "d \xff+/k%"
	if reads, err := s.Ask(t.Context(), prefix, true); err != nil || !reads {
		t.Fatalf("for reads: %v, %v", reads, err)
	}
	if _, err := joinLeases(t, other).Ask(t.Context(), "", true); !errors.Is(err, s3client.ErrConflict) {
		t.Errorf("a lease that overlaps: %v", err)
	}
	if _, err := holder.Put(t.Context(), prefix+"own", nil, s3client.PutOptions{}); err != nil {
		t.Error(err)
	}
	over := make(chan error)
	go func() {
		_, err := other.Put(t.Context(), key, bytes.NewReader([]byte("x")), s3client.PutOptions{IfNoneMatch: true})
		over <- err
	}()
	if e := event(t, s); e.Kind != s3client.LeaseRecalled || e.Prefix != prefix || e.Key != key {
		t.Errorf("%+v", e)
	}
	if _, err := holder.Put(t.Context(), key, nil, s3client.PutOptions{IfNoneMatch: true}); err != nil {
		t.Error(err)
	}
	if err := s.Return(t.Context(), prefix); err != nil {
		t.Error(err)
	}
	if err := <-over; !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("the name is taken: %v", err)
	}
	waiting := make(chan error)
	go func() {
		for {
			if _, err := s.Next(); err != nil {
				waiting <- err
				return
			}
		}
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, s3client.ErrUnavailable) {
		t.Errorf("the end: %v", err)
	}

	opt.SigV2 = true // does not sign the holder's name
	old, err := awss3.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if caps, err := old.Probe(t.Context()); err != nil || caps.Leases {
		t.Errorf("%+v, %v", caps, err)
	}
}

// Only who asks for a lease for reads has one.
func TestLeaseOnNamesOnServer(t *testing.T) {
	srv := servertest.New(t, servertest.Options{})
	c := newClient(t, awss3.Options{Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")})
	if reads, err := joinLeases(t, c).Ask(t.Context(), "d/", false); reads || err != nil {
		t.Errorf("for reads: %v, %v", reads, err)
	}
}

// What is on its way when a client gets its first lease is not in the way of that.
func TestRequestFromBeforeALease(t *testing.T) {
	srv := servertest.New(t, servertest.Options{})
	to, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	sent, pass := make(chan struct{}), make(chan struct{})
	way := httputil.NewSingleHostReverseProxy(to)
	way.FlushInterval = -1
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/early") {
			close(sent)
			<-pass
		}
		way.ServeHTTP(w, r)
	}))
	t.Cleanup(between.Close)
	opt := awss3.Options{Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")}
	newClient(t, opt) // makes the bucket
	opt.Endpoint = between.URL
	c, err := awss3.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if caps, err := c.Probe(t.Context()); err != nil || !caps.Leases {
		t.Fatalf("%+v, %v", caps, err)
	}
	over := make(chan error)
	go func() {
		_, err := c.Put(t.Context(), "d/early", bytes.NewReader([]byte("x")), s3client.PutOptions{})
		over <- err
	}()
	<-sent
	s := joinLeases(t, c)
	if reads, err := s.Ask(t.Context(), "d/", true); err != nil || !reads {
		t.Fatalf("for reads: %v, %v", reads, err)
	}
	close(pass)
	recalled := make(chan s3client.LeaseEvent, 1)
	go func() {
		for {
			e, err := s.Next()
			if err != nil {
				return
			}
			if e.Kind != s3client.LeaseAlive {
				recalled <- e
				return
			}
		}
	}()
	select {
	case e := <-recalled:
		t.Errorf("%+v", e)
		if err := s.Return(t.Context(), "d/"); err != nil {
			t.Error(err)
		}
		<-over
	case err := <-over:
		if err != nil {
			t.Error(err)
		}
	}
}
