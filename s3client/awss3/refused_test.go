package awss3

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pail/s3client"
)

// Many requests that are refused at once, as with a wrong clock or a key that was withdrawn, make the source be asked once
// more and not once for each: it may be a program, or a metadata service that throttles.
func TestManyRefusalsAskTheSourceOnce(t *testing.T) {
	var fetches atomic.Int32
	provider := newCached(func(context.Context) (s3client.Credentials, error) {
		fetches.Add(1)
		return s3client.Credentials{AccessKey: testKey, SecretKey: testSecret}, nil
	}, time.Now)
	const requests = 50
	var arrived sync.WaitGroup
	arrived.Add(requests)
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		arrived.Done()
		arrived.Wait()
		w.WriteHeader(http.StatusUnauthorized)
	}, func(o *Options) { o.Credentials = provider })
	var done sync.WaitGroup
	for range requests {
		done.Go(func() {
			_, err := c.Head(t.Context(), "k")
			if err == nil {
				t.Error("it was refused")
			}
		})
	}
	done.Wait()
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches before anything was tried again, want 1", n)
	}
	if _, err := provider.Retrieve(t.Context()); err != nil || fetches.Load() != 2 {
		t.Errorf("%d fetches, want 2 after the refusals; error %v", fetches.Load(), err)
	}
}
