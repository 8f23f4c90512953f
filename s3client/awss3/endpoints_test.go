package awss3

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"pail/s3client"
)

// TestNextEndpointIsAskedWhenOneFails has a standby, an endpoint where nobody listens, and one that serves.
func TestNextEndpointIsAskedWhenOneFails(t *testing.T) {
	var asked, served atomic.Int64
	standby := newPlainStub(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "<Error><Code>ServiceUnavailable</Code></Error>", http.StatusServiceUnavailable)
	})
	c := newStub(t, func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
	}, func(o *Options) {
		o.Fallbacks = []string{"http://127.0.0.1:1", o.Endpoint}
		o.Endpoint = standby
	})
	var e *s3client.Error
	_, err := c.Head(context.Background(), "k")
	if !errors.As(err, &e) || !errors.Is(err, s3client.ErrUnavailable) || e.Status != 503 || e.RetryAfter != 0 {
		t.Fatalf("the standby: %v, to be asked again after %v", err, e.RetryAfter)
	}
	if _, err = c.Head(context.Background(), "k"); !errors.As(err, &e) || !errors.Is(err, s3client.ErrUnavailable) || e.Status != 0 {
		t.Fatalf("where nobody listens: %v", err)
	}
	for range 3 {
		if _, err := c.Head(context.Background(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 1 || served.Load() != 3 {
		t.Errorf("%d and %d requests: the endpoint that serves is to be kept", asked.Load(), served.Load())
	}
}

// TestRetryAfterCountsOnceAllHaveFailed has two standbys.
func TestRetryAfterCountsOnceAllHaveFailed(t *testing.T) {
	standby := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	c := newTestClient(t, newPlainStub(t, standby), func(o *Options) { o.Fallbacks = []string{newPlainStub(t, standby)} })
	for i, want := range []time.Duration{0, time.Second, 0, time.Second} {
		var e *s3client.Error
		if _, err := c.Head(context.Background(), "k"); !errors.As(err, &e) || e.RetryAfter != want {
			t.Errorf("answer %d: %v, again after %v, want %v", i, err, e.RetryAfter, want)
		}
	}
}

func TestAnAnswerIsNoReasonToMoveOn(t *testing.T) {
	for _, status := range []int{403, 404, 412, 501} {
		var other atomic.Int64
		c := newTestClient(t, newPlainStub(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }), func(o *Options) {
			o.Fallbacks = []string{newPlainStub(t, func(http.ResponseWriter, *http.Request) { other.Add(1) })}
		})
		for range 2 {
			_, _ = c.Head(context.Background(), "k")
		}
		if other.Load() != 0 {
			t.Errorf("after %d the other endpoint was asked", status)
		}
	}
}

func TestEveryEndpointIsChecked(t *testing.T) {
	if _, err := New(Options{Bucket: "b", Endpoint: "http://a", Fallbacks: []string{"ftp://b"}}); err == nil {
		t.Error("a fallback that is no URL of a service is taken")
	}
}
