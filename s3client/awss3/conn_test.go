package awss3

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"pail/s3client"
)

// An answer that comes before the body was read leaves the transport sending; the body's memory is the caller's again
// all the same. The race detector sees it if not.
// TestBodyThatWasSentEnds: the transport reads on to the body's end, which it may do after the answer has come. An error
// there would break the connection before the rest of the answer is read.
func TestBodyThatWasSentEnds(t *testing.T) {
	b := newUploadBody(strings.NewReader("sent and more"), 4)
	sent := make([]byte, 4)
	if _, err := io.ReadFull(b, sent[:2]); err != nil {
		t.Fatal(err)
	}
	b.detach()
	if _, err := b.Read(sent); !errors.Is(err, errDetached) {
		t.Errorf("reading the rest after the answer: %v", err)
	}
	b = newUploadBody(strings.NewReader("sent and more"), 4)
	if _, err := io.ReadFull(b, sent); err != nil || string(sent) != "sent" {
		t.Fatal(err)
	}
	b.detach()
	if n, err := b.Read(sent); n != 0 || err != io.EOF {
		t.Errorf("reading on after all was sent: %d bytes, %v", n, err)
	}
}

func TestBodyIsNotTouchedAfterTheAnswer(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusPreconditionFailed) },
		func(o *Options) { o.UnsignedPayload = true })
	data := make([]byte, 8<<20)
	for range 5 {
		_, err := c.Put(t.Context(), "k", bytes.NewReader(data), s3client.PutOptions{IfMatch: "x"})
		if err == nil {
			t.Fatal("Put succeeded")
		}
		for i := range data {
			data[i]++
		}
	}
}

func TestStalledBodyIsCut(t *testing.T) {
	block := make(chan struct{})
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-block
	}, func(o *Options) { o.HTTP.ReadWriteTimeout = 50 * time.Millisecond })
	defer close(block)
	o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	_, err = io.ReadAll(o.Body)
	wantErr(t, err, s3client.ErrUnavailable)
}

// The whole takes several times the limit, but each byte comes within it. On a machine that stands still for longer than the
// limit, a longer one is tried.
func TestSlowProgressIsNotCut(t *testing.T) {
	for idle := 200 * time.Millisecond; ; idle *= 3 {
		n, err := readSlowly(t, idle)
		if err == nil && n == 12 {
			return
		}
		if idle > time.Second {
			t.Fatalf("read %d bytes, error %v", n, err)
		}
		t.Logf("with a limit of %v: read %d bytes, error %v", idle, n, err)
	}
}

// readSlowly reads twelve bytes that come one by one, in a quarter of the limit each.
func readSlowly(t *testing.T, idle time.Duration) (int, error) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(idle / 4)
		defer tick.Stop()
		w.Header().Set("Content-Length", "12")
		for range 12 {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
		}
	}, func(o *Options) { o.HTTP.ReadWriteTimeout = idle })
	o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
	if err != nil {
		return 0, err
	}
	defer o.Body.Close()
	data, err := io.ReadAll(o.Body)
	return len(data), err
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var mu sync.Mutex
	conns := map[string]bool{}
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		conns[r.RemoteAddr] = true
		mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.Method {
		case http.MethodGet:
			_, _ = io.WriteString(w, "content")
		case http.MethodDelete:
			errorXML(w, 404, "NoSuchKey", "gone")
		}
	})
	for range 5 {
		if err := put(t.Context(), c, "k", "x"); err != nil {
			t.Fatal(err)
		}
		o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Body.Close(); err != nil { // unread
			t.Fatal(err)
		}
		if err := c.Delete(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections were made, want 1", len(conns))
	}
}

// takes is a connection that says what was written to it at once, up to one that fails.
type takes struct {
	net.Conn
	pieces []int
	most   int
}

var errTaken = errors.New("no more")

func (c *takes) Write(p []byte) (int, error) {
	if len(c.pieces) == c.most {
		return 0, errTaken
	}
	c.pieces = append(c.pieces, len(p))
	return len(p), nil
}

func (*takes) SetDeadline(time.Time) error { return nil }

// A body leaves in large pieces, and an error of either side ends it.
func TestBodiesLeaveInLargePieces(t *testing.T) {
	body := func(n int64) io.Reader { return io.LimitReader(zeros{}, n) }
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		r      io.Reader
		most   int
		pieces []int
		err    error
	}{
		"nothing":      {body(0), 9, nil, nil},
		"a piece":      {body(10), 9, []int{10}, nil},
		"pieces":       {body(2*maxWrite + 1), 9, []int{maxWrite, maxWrite, 1}, nil},
		"broken body":  {io.MultiReader(body(5), iotest.ErrReader(broken)), 9, []int{5}, broken},
		"broken write": {body(3 * maxWrite), 1, []int{maxWrite}, errTaken},
	} {
		to := &takes{most: test.most}
		n, err := io.Copy(&conn{Conn: to, idle: time.Minute, start: time.Now()}, struct{ io.Reader }{test.r})
		sent := int64(0)
		for _, p := range to.pieces {
			sent += int64(p)
		}
		if !slices.Equal(to.pieces, test.pieces) || n != sent || !errors.Is(err, test.err) {
			t.Errorf("%s: %d bytes in %v, %v", name, n, to.pieces, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
