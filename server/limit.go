package server

import (
	"container/list"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"pail/server/internal/s3err"
)

// DefaultMaxConnections is the number of connections of a listener. An idle one costs some 20 KB.
const DefaultMaxConnections = 4096

// limiter is a listener that bounds the connections that are open at once. When there are too many, it closes the one
// that has been idle, or has sent no whole request, for longest; a client takes that as the end of a kept connection and
// makes a new one. When all are at work, a new one is answered 503 SlowDown, which clients repeat later.
type limiter struct {
	net.Listener
	max     int
	tls     *tls.Config
	timeout time.Duration
	refusal chan struct{} // holds a token for each refusal under way

	mu struct {
		sync.Mutex
		open map[net.Conn]*list.Element // nil: at work
		idle *list.List                 // of client, the longest idle first
	}
}

const (
	maxRefusals   = 32
	refusalLinger = time.Second
)

func newLimiter(l net.Listener, opt ServeOptions, timeout time.Duration) *limiter {
	m := &limiter{Listener: l, max: opt.MaxConnections, timeout: timeout, refusal: make(chan struct{}, maxRefusals)}
	if m.max <= 0 {
		m.max = DefaultMaxConnections
	}
	if opt.TLS != nil {
		m.tls = opt.TLS.Clone()
		m.tls.NextProtos = []string{"http/1.1"}
	}
	m.mu.open = map[net.Conn]*list.Element{}
	m.mu.idle = list.New()
	return m
}

// Accept implements net.Listener.
func (m *limiter) Accept() (net.Conn, error) {
	for {
		c, err := m.Listener.Accept()
		if err != nil {
			return nil, err
		}
		w := m.wrap(c)
		victim, ok := m.admit(w)
		if victim != nil {
			_ = victim.Close() // its client is told by that
		}
		if ok {
			return w, nil
		}
		m.refuse(c)
	}
}

func (m *limiter) wrap(c net.Conn) client {
	if m.tls != nil {
		return newTLSConn(c, m.tls, m.timeout)
	}
	return newConn(c)
}

// client is a conn or a tlsConn.
type client interface {
	net.Conn
	below() net.Conn // what TLS goes over
}

// admit adds a connection. It gives the one to be closed for it, if there are too many.
func (m *limiter) admit(c client) (victim net.Conn, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mu.open) >= m.max {
		first := m.mu.idle.Front()
		if first == nil {
			return nil, false
		}
		oldest := m.mu.idle.Remove(first).(client)
		delete(m.mu.open, oldest)
		victim = oldest.below() // without TLS's farewell, which could block
	}
	m.mu.open[c] = m.mu.idle.PushBack(c)
	return victim, true
}

// state is told by net/http what a connection is at.
func (m *limiter) state(c net.Conn, s http.ConnState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, open := m.mu.open[c]
	if !open {
		return // it was closed for another
	}
	switch s {
	case http.StateActive:
		if at != nil {
			m.mu.idle.Remove(at)
			m.mu.open[c] = nil
		}
	case http.StateIdle:
		if at == nil {
			m.mu.open[c] = m.mu.idle.PushBack(c.(client))
		}
	case http.StateClosed, http.StateHijacked:
		if at != nil {
			m.mu.idle.Remove(at)
		}
		delete(m.mu.open, c)
	}
}

// refuse answers a connection that there is no room for. It does not wait for the client.
func (m *limiter) refuse(c net.Conn) {
	select {
	case m.refusal <- struct{}{}:
	default:
		_ = c.Close() // even refusals are too many
		return
	}
	go func() {
		defer func() { <-m.refusal }()
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(refusalLinger))
		if m.tls != nil {
			return // a handshake is what there is no room for
		}
		if _, err := c.Write(document("HTTP/1.1", s3err.New(s3err.SlowDown))); err != nil {
			return
		}
		if half, ok := c.(*net.TCPConn); ok && half.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, c, maxHeaderBytes) // or the kernel takes the answer back
		}
	}()
}
