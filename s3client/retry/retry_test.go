package retry

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"pail/s3client"
	"pail/s3client/clienttest"
	"pail/s3client/faultclient"
	"pail/s3client/memclient"
)

// testClock sleeps without waiting and remembers for how long.
type testClock struct {
	mu     sync.Mutex
	now    time.Time
	sleeps []time.Duration
}

func newClock() *testClock { return &testClock{now: time.Now()} }

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.sleeps = append(c.sleeps, d)
	return ctx.Err()
}

func newStack(opt Options) (*Client, *faultclient.Client, *memclient.Client) {
	mem := memclient.New(memclient.Options{Capabilities: memclient.Full()})
	faults := faultclient.New(mem)
	if opt.Clock == nil {
		opt.Clock = newClock()
	}
	return New(faults, opt), faults, mem
}

func TestContract(t *testing.T) {
	clienttest.Run(t, func(*testing.T) s3client.Client {
		c, _, _ := newStack(Options{})
		return c
	})
}

// The contract holds too when every operation fails at its first attempt, whether it was done or not.
func TestContractWithFaults(t *testing.T) {
	for name, fault := range map[string]faultclient.Action{
		"unavailable": faultclient.Fail(nil), "throttled": faultclient.Fail(s3client.ErrThrottled), "cut": faultclient.Cut(3),
	} {
		t.Run(name, func(t *testing.T) {
			clienttest.Run(t, func(*testing.T) s3client.Client {
				c, faults, _ := newStack(Options{Attempts: 3})
				for _, op := range []string{
					s3client.OpProbe, s3client.OpHead, s3client.OpGet, s3client.OpPut, s3client.OpPatch, s3client.OpCopy, s3client.OpRename, s3client.OpDelete, s3client.OpDeleteMany,
					s3client.OpList, s3client.OpNewUpload, s3client.OpPart, s3client.OpCopyPart, s3client.OpComplete, s3client.OpAbort,
				} {
					faults.Add(faultclient.Fault{Op: op, Times: 2, Do: fault})
				}
				return c
			})
		})
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	tests := []struct {
		err   error
		calls int
	}{
		{s3client.ErrUnavailable, 4}, {s3client.ErrThrottled, 4}, {s3client.ErrIntegrity, 4}, {s3client.ErrConflict, 4}, {s3client.ErrCredentials, 2},
		{s3client.ErrAccess, 1}, {s3client.ErrPrecondition, 1}, {s3client.ErrNotFound, 1}, {s3client.ErrInvalid, 1}, {s3client.ErrNoSpace, 1},
		{s3client.ErrUntrusted, 1}, {s3client.ErrUnsupported, 1}, {context.Canceled, 1}, {context.DeadlineExceeded, 1}, {errors.New("other"), 1},
	}
	for _, test := range tests {
		c, faults, _ := newStack(Options{Attempts: 4})
		rule := faults.Add(faultclient.Fault{Times: -1, Do: faultclient.Fail(test.err)})
		_, err := c.Put(t.Context(), "k", strings.NewReader("x"), s3client.PutOptions{})
		if !errors.Is(err, test.err) || rule.Hits() != test.calls {
			t.Errorf("%v: %d attempts, want %d; error %v", test.err, rule.Hits(), test.calls, err)
		}
	}
}

// halfway is a client that does not remove one key at first; another client makes the others anew meanwhile.
type halfway struct {
	s3client.Client
	stays string
	calls [][]string
}

func (h *halfway) Delete(ctx context.Context, keys ...string) error {
	if h.calls = append(h.calls, keys); len(h.calls) > 1 {
		return h.Client.Delete(ctx, keys...)
	}
	var err error
	for _, key := range keys {
		if key == h.stays {
			err = &s3client.Error{Op: s3client.OpDeleteMany, Key: key, Err: s3client.ErrThrottled}
		} else if _, putErr := h.Put(ctx, key, strings.NewReader("new"), s3client.PutOptions{}); putErr != nil {
			return putErr
		}
	}
	return errors.Join(err)
}

// What was removed is not removed again.
func TestDeleteTriesAgainWhatIsThere(t *testing.T) {
	mem := memclient.New(memclient.Options{})
	for _, key := range []string{"a", "b", "c"} {
		if _, err := mem.Put(t.Context(), key, strings.NewReader("old"), s3client.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	h := &halfway{Client: mem, stays: "b"}
	if err := New(h, Options{Clock: newClock()}).Delete(t.Context(), "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(mem.Keys(), " "); got != "a c" || len(h.calls) != 2 {
		t.Errorf("left are %q after %q", got, h.calls)
	}
}

// throttled is a client that removes nothing at first; another client replaces all objects but one meanwhile.
type throttled struct {
	*memclient.Client
	stays string
	calls int
}

func (c *throttled) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	if c.calls++; c.calls > 1 {
		return c.Client.DeleteVersions(ctx, list...)
	}
	for _, v := range list {
		if v.Key == c.stays {
			continue
		}
		if _, err := c.Put(ctx, v.Key, strings.NewReader("new"), s3client.PutOptions{}); err != nil {
			return err
		}
	}
	return &s3client.Error{Op: s3client.OpDeleteMany, Err: s3client.ErrThrottled}
}

// TestLateRemovalTakesNoNewObject: the first attempt takes whatever is there, those after it what was to be removed.
func TestLateRemovalTakesNoNewObject(t *testing.T) {
	mem := memclient.New(memclient.Options{Capabilities: s3client.Capabilities{ConditionalPut: true}})
	var list []s3client.Version
	for _, key := range []string{"a", "b", "c"} {
		info, err := mem.Put(t.Context(), key, strings.NewReader("old"), s3client.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s3client.Version{Key: key, ETag: info.ETag, Any: func() bool { return true }})
	}
	c := New(&throttled{Client: mem, stays: "b"}, Options{Clock: newClock()})
	if err := c.DeleteVersions(t.Context(), list...); !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("the error is %v", err)
	}
	if got := strings.Join(mem.Keys(), " "); got != "a c" {
		t.Errorf("left are %q", got)
	}
	if err := c.DeleteVersions(t.Context(), list...); err != nil || len(mem.Keys()) > 0 {
		t.Errorf("at once: %v, left are %q", err, mem.Keys())
	}
}

func TestWaitsGrowAndEndAtTheDeadline(t *testing.T) {
	clock := newClock()
	c, faults, _ := newStack(Options{Attempts: 1000, Base: time.Second, Max: 8 * time.Second, Deadline: time.Minute, Clock: clock})
	begin := clock.Now()
	faults.Add(faultclient.Fault{Times: -1, Do: faultclient.Fail(nil)})
	if _, err := c.Head(t.Context(), "k"); !errors.Is(err, s3client.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
	if took := clock.Now().Sub(begin); took > time.Minute || len(clock.sleeps) < 5 {
		t.Errorf("%d waits took %v", len(clock.sleeps), took)
	}
	for i, d := range clock.sleeps {
		limit := min(8*time.Second, time.Second<<(2*min(i, 10)))
		if d < 0 || d > limit || i > 0 && d < limit/2 {
			t.Errorf("wait %d is %v, at most %v and half as much at least is right", i, d, limit)
		}
	}
}

// A mount has six attempts. A server that is started again, or throttles, must not turn into errors of close(2).
func TestSixAttemptsOutlastARestart(t *testing.T) {
	for range 100 {
		clock := newClock()
		c, faults, _ := newStack(Options{Attempts: 6, Clock: clock})
		begin := clock.Now()
		faults.Add(faultclient.Fault{Times: -1, Do: faultclient.Fail(nil)})
		if _, err := c.Head(t.Context(), "k"); !errors.Is(err, s3client.ErrUnavailable) {
			t.Fatalf("error is %v", err)
		}
		if took := clock.Now().Sub(begin); took < 10*time.Second || took > time.Minute {
			t.Fatalf("gave up after %v", took)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	clock := newClock()
	c, faults, _ := newStack(Options{Clock: clock})
	faults.Add(faultclient.Fault{Do: faultclient.Fail(&s3client.Error{Err: s3client.ErrThrottled, RetryAfter: 7 * time.Second})})
	if _, err := c.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(clock.sleeps) != 1 || clock.sleeps[0] < 7*time.Second {
		t.Errorf("waits are %v", clock.sleeps)
	}
}

func TestContextEndsAWait(t *testing.T) {
	c, faults, _ := newStack(Options{Clock: systemClock{}, Base: time.Hour, Max: time.Hour, Deadline: 10 * time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	faults.Add(faultclient.Fault{Do: faultclient.Fail(&s3client.Error{Err: s3client.ErrThrottled, RetryAfter: time.Hour})})
	done := make(chan error)
	go func() { _, err := c.Head(ctx, "k"); done <- err }()
	cancel()
	err := <-done
	var e *s3client.Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Op != s3client.OpHead || e.Key != "k" {
		t.Errorf("error is %v", err)
	}
}

// interrupted is a client that removes one key of several, whose caller gives up then.
type interrupted struct {
	s3client.Client
	giveUp context.CancelFunc
}

func (c interrupted) Delete(_ context.Context, keys ...string) error {
	c.giveUp()
	var errs []error
	for _, key := range keys[1:] {
		errs = append(errs, &s3client.Error{Op: s3client.OpDeleteMany, Key: key, Err: s3client.ErrThrottled})
	}
	return errors.Join(errs...)
}

// Who gives up while many removals wait to be tried again is told of each that was not made.
func TestContextEndsAWaitOfManyRemovals(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := New(interrupted{memclient.New(memclient.Options{}), cancel}, Options{Clock: newClock()})
	keys := []string{"gone", "a", "b"}
	left := s3client.NotRemoved(c.Delete(ctx, keys...), keys)
	if len(left) != 2 || !errors.Is(left["a"], context.Canceled) || !errors.Is(left["b"], context.Canceled) {
		t.Errorf("not removed are %v", left)
	}
}

func TestBodyIsRewoundToWhereItStood(t *testing.T) {
	c, faults, _ := newStack(Options{})
	faults.Add(faultclient.Fault{Op: s3client.OpPut, Times: 2, Do: faultclient.Cut(3)})
	body := strings.NewReader("skipped|content")
	if _, err := body.Seek(8, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), "k", body, s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c, s3client.GetOptions{}); got != "content" {
		t.Errorf("stored is %q", got)
	}
}

func read(t *testing.T, c *Client, opt s3client.GetOptions) string {
	t.Helper()
	o, err := c.Get(t.Context(), "k", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	data, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestGetGoesOnAfterABrokenConnection(t *testing.T) {
	const content = "0123456789abcdefghij"
	for _, rng := range []s3client.Range{{}, {Off: 3, Len: 10}, {Off: 12}, {Off: 15, Len: 100}} {
		c, faults, mem := newStack(Options{Attempts: 2})
		if _, err := mem.Put(t.Context(), "k", strings.NewReader(content), s3client.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		// Each connection breaks after two bytes: there is progress, so it goes on beyond the number of attempts.
		rule := faults.Add(faultclient.Fault{Op: s3client.OpGet, Times: 2, Do: faultclient.Cut(2)})
		end := int64(len(content))
		if rng.Len > 0 {
			end = min(end, rng.Off+rng.Len)
		}
		if got := read(t, c, s3client.GetOptions{Range: rng}); got != content[rng.Off:end] || rule.Hits() != 2 {
			t.Errorf("range %+v read %q, %d connections broke", rng, got, rule.Hits())
		}
	}
}

func TestGetDoesNotGoOnInAnotherVersion(t *testing.T) {
	c, faults, mem := newStack(Options{})
	put := func(content string) {
		if _, err := mem.Put(t.Context(), "k", strings.NewReader(content), s3client.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("first version")
	faults.Add(faultclient.Fault{Op: s3client.OpGet, Do: faultclient.Cut(3)})
	o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	put("other version")
	data, err := io.ReadAll(o.Body)
	if string(data) != "fir" || !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("read %q, error %v", data, err)
	}
}

func TestGetGivesUpWithoutProgress(t *testing.T) {
	c, faults, mem := newStack(Options{Attempts: 3})
	if _, err := mem.Put(t.Context(), "k", strings.NewReader("content"), s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	rule := faults.Add(faultclient.Fault{Op: s3client.OpGet, Times: -1, Do: faultclient.Cut(0)})
	o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	if _, err := io.ReadAll(o.Body); !errors.Is(err, s3client.ErrUnavailable) || rule.Hits() != 3 {
		t.Errorf("%d requests, error %v", rule.Hits(), err)
	}
	if _, err := o.Body.Read(make([]byte, 1)); !errors.Is(err, s3client.ErrUnavailable) {
		t.Errorf("the error does not stick: %v", err)
	}
}
