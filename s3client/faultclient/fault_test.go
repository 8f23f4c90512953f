package faultclient

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"pail/s3client"
	"pail/s3client/clienttest"
	"pail/s3client/memclient"
)

func newTest(t *testing.T) (*Client, *memclient.Client) {
	mem := memclient.New(memclient.Options{Capabilities: memclient.Full()})
	if _, err := mem.Put(t.Context(), "k", strings.NewReader("content"), s3client.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return New(mem), mem
}

func TestContractWithoutRules(t *testing.T) {
	clienttest.Run(t, func(*testing.T) s3client.Client {
		return New(memclient.New(memclient.Options{Capabilities: memclient.Full()}))
	})
}

func TestTheNthCallIsHit(t *testing.T) {
	c, _ := newTest(t)
	rule := c.Add(Fault{Op: s3client.OpHead, Key: "k*", Skip: 2, Times: 2, Do: Fail(s3client.ErrAccess)})
	for i, want := range []error{nil, nil, s3client.ErrAccess, s3client.ErrAccess, nil} {
		if _, err := c.Head(t.Context(), "k"); !errors.Is(err, want) {
			t.Errorf("call %d: error is %v, want %v", i+1, err, want)
		}
		if _, err := c.Get(t.Context(), "k", s3client.GetOptions{}); err != nil {
			t.Errorf("another operation was hit: %v", err)
		}
	}
	if rule.Hits() != 2 {
		t.Errorf("%d hits", rule.Hits())
	}
	c.Add(Fault{Times: -1, Do: Fail(nil)})
	if err := c.Delete(t.Context(), "a", "b"); !errors.Is(err, s3client.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
	c.Clear()
	if err := c.Delete(t.Context(), "a", "b"); err != nil {
		t.Error(err)
	}
}

func TestErrorsKeepWhatTheyWereGiven(t *testing.T) {
	c, _ := newTest(t)
	c.Add(Fault{Do: Fail(&s3client.Error{Code: "SlowDown", Status: 503, Err: s3client.ErrThrottled})})
	_, err := c.Head(t.Context(), "k")
	var e *s3client.Error
	if !errors.As(err, &e) || e.Op != s3client.OpHead || e.Key != "k" || e.Bucket != "bucket" || e.Code != "SlowDown" || e.Status != 503 {
		t.Errorf("error is %#v", e)
	}
}

func TestLostCallsAreDone(t *testing.T) {
	c, mem := newTest(t)
	c.Add(Fault{Op: s3client.OpDelete, Do: Lose(nil)})
	if err := c.Delete(t.Context(), "k"); !errors.Is(err, s3client.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
	if len(mem.Keys()) != 0 {
		t.Error("the key is still there")
	}
	c.Add(Fault{Op: s3client.OpHead, Do: Lose(nil)})
	if _, err := c.Head(t.Context(), "k"); !errors.Is(err, s3client.ErrNotFound) {
		t.Errorf("error is %v, want the call's own", err)
	}
}

func TestHangAndDelay(t *testing.T) {
	c, _ := newTest(t)
	c.Add(Fault{Do: Hang()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Head(ctx, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	gate := make(chan struct{})
	c.Add(Fault{Times: 2, Do: Delay(gate)})
	if _, err := c.Head(ctx, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	done := make(chan error)
	go func() { _, err := c.Head(t.Context(), "k"); done <- err }()
	close(gate)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBodies(t *testing.T) {
	tests := []struct {
		do   Action
		want string
		err  error
	}{
		{Cut(3), "con", s3client.ErrUnavailable}, {Cut(0), "", s3client.ErrUnavailable}, {Truncate(3), "con", nil},
		{Corrupt(2), "coNtent", nil}, {Corrupt(100), "content", nil}, {Truncate(100), "content", nil},
	}
	for _, test := range tests {
		c, _ := newTest(t)
		c.Add(Fault{Op: s3client.OpGet, Do: test.do})
		o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(o.Body)
		if string(data) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%+v: read %q, error %v", test.do, data, err)
		}
		if err := o.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCutPutReadsTheBodyAndStoresNothing(t *testing.T) {
	c, mem := newTest(t)
	c.Add(Fault{Op: s3client.OpPut, Do: Cut(3)})
	body := strings.NewReader("0123456789")
	if _, err := c.Put(t.Context(), "new", body, s3client.PutOptions{}); !errors.Is(err, s3client.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
	if body.Len() != 7 || len(mem.Keys()) != 1 {
		t.Errorf("%d bytes are left, keys are %q", body.Len(), mem.Keys())
	}
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"a*", "a/b/c", true}, {"*c", "a/b/c", true}, {"a*b*c", "a/b/c", true},
		{"a*b*c", "ac", false}, {"a*a", "a", false}, {"*/b/*", "a/b/c", true}, {"*/b/*", "a/c", false},
	}
	for _, test := range tests {
		if got := glob(test.pattern, test.s); got != test.want {
			t.Errorf("glob(%q, %q) = %v", test.pattern, test.s, got)
		}
	}
}
