package harness

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Wire carries the connections between a mount and a server, and can be cut as a network is: what is sent stays on the way.
type Wire struct {
	server   *Server
	addr     string // of the server, which stays when that is restarted
	listener net.Listener
	requests atomic.Int64
	work     sync.WaitGroup

	mu     sync.Mutex
	passes *sync.Cond // mu
	frozen bool
	over   bool
	conns  map[net.Conn]struct{}
}

// NewWire lays a wire to a server without TLS, which goes with the test.
func NewWire(t testing.TB, s *Server) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{server: s, addr: s.Addr(), listener: l, conns: map[net.Conn]struct{}{}}
	w.passes = sync.NewCond(&w.mu)
	w.work.Go(w.accept)
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		w.over = true
		w.mu.Unlock()
		w.Cut()
		w.work.Wait()
	})
	return w
}

// Server is what mounts through the wire see.
func (w *Wire) Server() *Server {
	behind := *w.server
	behind.URL = "http://" + w.listener.Addr().String()
	return &behind
}

// Requests counts the requests that have passed, about.
func (w *Wire) Requests() int64 { return w.requests.Load() }

// Freeze keeps everything on the way, in both directions, until Thaw.
func (w *Wire) Freeze() { w.freeze(true) }

// Thaw lets everything pass.
func (w *Wire) Thaw() { w.freeze(false) }

func (w *Wire) freeze(frozen bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = frozen
	w.passes.Broadcast()
}

// Cut ends all connections.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close()
	}
	w.passes.Broadcast()
}

func (w *Wire) accept() {
	for {
		front, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.work.Go(func() { w.carry(front) })
	}
}

// carry carries one connection to its end.
func (w *Wire) carry(front net.Conn) {
	defer front.Close()
	back, err := net.Dial("tcp", w.addr)
	if err != nil {
		return
	}
	defer back.Close()
	w.mu.Lock()
	w.conns[front], w.conns[back] = struct{}{}, struct{}{}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.conns, front)
		delete(w.conns, back)
	}()
	var both sync.WaitGroup
	both.Go(func() { w.copy(back, front, &w.requests) })
	both.Go(func() { w.copy(front, back, nil) })
	both.Wait()
}

// copy passes on what comes in one direction. A request is taken for what comes in one piece.
func (w *Wire) copy(to, from net.Conn, count *atomic.Int64) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !w.pass() {
			return
		}
		if n > 0 && count != nil {
			count.Add(1)
		}
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil {
			return
		}
	}
}

// pass waits while the wire is frozen. It reports false at its end.
func (w *Wire) pass() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.frozen && !w.over {
		w.passes.Wait()
	}
	return !w.over
}
