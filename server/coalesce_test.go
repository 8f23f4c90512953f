package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// countedWrites counts the writes of the connections it accepts.
type countedWrites struct {
	net.Listener
	writes atomic.Int64
}

type countedConn struct {
	net.Conn
	l *countedWrites
}

func (l *countedWrites) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c, l}, nil
}

func (c countedConn) Write(p []byte) (int, error) {
	c.l.writes.Add(1)
	return c.Conn.Write(p)
}

// An answer of any length arrives as it is; one with a body of 4 KiB, which net/http cuts in two, in one piece.
func TestAnswersAreNotCut(t *testing.T) {
	body := func(n int) []byte { return bytes.Repeat([]byte("0123456789abcde\n"), n/16+1)[:n] }
	h := func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		if pad, _ := strconv.Atoi(r.URL.Query().Get("pad")); pad > 0 {
			w.Header().Set("X-Pad", strings.Repeat("x", pad))
		}
		if r.URL.Query().Get("length") != "" {
			w.Header().Set("Content-Length", strconv.Itoa(n))
		}
		for rest := body(n); len(rest) > 0; {
			m := min(len(rest), 512<<10)
			_, _ = w.Write(rest[:m])
			rest = rest[m:]
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &countedWrites{Listener: l}
	addr := serveListener(t, counted, h, ServeOptions{})
	c := dial(t, addr)
	in := bufio.NewReader(c)
	ask := func(method, query string, n int) {
		t.Helper()
		fmt.Fprintf(c, "%s /?%s&n=%d HTTP/1.1\r\nHost: x\r\n\r\n", method, query, n)
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%s %s, %d bytes: %v", method, query, n, err)
		}
		got, err := io.ReadAll(resp.Body)
		want := body(n)
		if method == http.MethodHead {
			want = nil
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s %s, %d bytes: got %d bytes, %v", method, query, n, len(got), err)
		}
	}
	for _, n := range []int{0, 1, 3900, 4096, 5000, 8192, 12 << 10, 16 << 10, 20 << 10, 100 << 10, 2 << 20} {
		ask("GET", "length=1", n)
		ask("GET", "", n)
		ask("HEAD", "length=1", n)
	}
	// Every way in which header and body may meet the end of net/http's buffer.
	for pad := 3800; pad < 4200; pad++ {
		ask("GET", "length=1&pad="+strconv.Itoa(pad), 100)
		ask("HEAD", "length=1&pad="+strconv.Itoa(pad), 100)
	}
	before := counted.writes.Load()
	ask("GET", "length=1", 4096)
	if got := counted.writes.Load() - before; got != 1 {
		t.Errorf("an answer of 4 KiB took %d writes", got)
	}
}

// Bytes in the middle of an answer that look like the beginning of one are not held back: nothing may come after them.
func TestAnswerWithinAnAnswer(t *testing.T) {
	const pieces = 512 << 10
	inner := make([]byte, fullBuffer)
	copy(inner, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
	addr := serveOn(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(pieces+len(inner)))
		_, _ = w.Write(make([]byte, pieces))
		_, _ = w.Write(inner)
	}, ServeOptions{})
	c := dial(t, addr)
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.HasSuffix(got, inner) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
}

// What a handler gave of an answer before it broke off is sent, as far as net/http sends it.
func TestAnswerThatBreaksOff(t *testing.T) {
	addr := serveOn(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(make([]byte, 4000))
	}, ServeOptions{})
	c := dial(t, addr)
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	got, _ := io.ReadAll(c)
	if !bytes.HasPrefix(got, []byte("HTTP/1.1 200")) || bytes.Count(got, []byte{0}) != 4000 {
		t.Errorf("%d bytes came", len(got))
	}
}
