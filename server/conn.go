package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"pail/server/internal/s3err"
)

// conn stands between net/http and a client. net/http answers a request that it cannot parse by itself, in plain text;
// S3's clients expect a document of S3's, with the code. conn remembers how a request begins, and replaces that answer.
type conn struct {
	net.Conn
	raw net.Conn // below TLS, or the same

	// net/http reads in one goroutine and writes in another, but reads no new request while it writes.
	fresh atomic.Bool // the next byte read begins a request
	head  [maxLine]byte
	n     int // of head

	answer coalescer // used by the goroutine that answers
}

// maxLine is how much of a request line is remembered. An error document names the URI, and AWS takes no longer one.
const maxLine = 1 << 10

func newConn(c net.Conn) *conn {
	w := &conn{Conn: c, raw: c}
	w.fresh.Store(true)
	return w
}

func (c *conn) below() net.Conn { return c.raw }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.remember(p[:n])
	}
	return n, err
}

func (c *conn) remember(p []byte) {
	if c.fresh.Swap(false) {
		c.n = 0
	} else if c.n == maxLine || bytes.IndexByte(c.head[:c.n], '\n') >= 0 {
		return
	}
	c.n += copy(c.head[c.n:], p)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	begins := !c.fresh.Swap(true) // a request was read since the last write
	if c.answer.held != nil {
		return c.answer.release(p, c.Conn.Write)
	}
	if answer := c.replaced(p); answer != nil {
		if _, err := c.Conn.Write(answer); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if begins && !bytes.HasPrefix(c.head[:c.n], []byte("HEAD ")) && c.answer.hold(p) {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// flush writes what is held of an answer that came to no more.
func (c *conn) flush() error {
	if c.answer.held == nil {
		return nil
	}
	_, err := c.answer.release(nil, c.Conn.Write)
	return err
}

// ReadFrom keeps net/http's way to sendfile open.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	c.fresh.Store(true)
	if err := c.flush(); err != nil {
		return 0, err
	}
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// CloseWrite lets net/http end an answer before it closes the connection.
func (c *conn) CloseWrite() error {
	if err := c.flush(); err != nil {
		return err
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// tlsConn is a conn over TLS. net/http makes the handshake of a tls.Conn only.
type tlsConn struct {
	*conn
	tls     *tls.Conn
	timeout time.Duration // of the handshake
	shaken  bool          // it is over, well or not
}

func newTLSConn(c net.Conn, config *tls.Config, timeout time.Duration) *tlsConn {
	w := &tlsConn{conn: newConn(c), tls: tls.Server(c, config), timeout: timeout}
	w.Conn = w.tls
	return w
}

// ConnectionState is what net/http asks for before it does anything else with the connection, in its own goroutine.
func (c *tlsConn) ConnectionState() tls.ConnectionState {
	if !c.shaken {
		c.shaken = true
		_ = c.tls.SetDeadline(time.Now().Add(c.timeout)) // a failure shows in the handshake
		err := c.tls.Handshake()
		var record tls.RecordHeaderError
		if errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
			_, _ = c.raw.Write(document("HTTP/1.0", s3err.New(s3err.InvalidRequest).WithMessage("This port speaks HTTPS, and the request came over HTTP.")))
		}
		_ = c.tls.SetDeadline(time.Time{})
	}
	return c.tls.ConnectionState()
}

func looksLikeHTTP(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		return true
	}
	return false
}

// target is the URI of the request whose beginning is remembered, "" when it has none.
func (c *conn) target() string {
	line, _, _ := bytes.Cut(c.head[:c.n], []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 2 {
		return ""
	}
	return fields[1]
}

// ownAnswer is how net/http's own answers go on after the status line.
const ownAnswer = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// replaced gives S3's answer instead of an answer that net/http has made itself, and nil for any other.
func (c *conn) replaced(p []byte) []byte {
	status, ok := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !ok || len(status) < 4 || status[0] != '4' && status[0] != '5' {
		return nil
	}
	end := bytes.IndexByte(status, '\r')
	if end < 0 || !bytes.HasPrefix(status[end:], []byte(ownAnswer)) {
		return nil
	}
	return document("HTTP/1.1", parseError(string(status[:3]), c.target()))
}

func parseError(status, target string) *s3err.Error {
	path, _, _ := strings.Cut(target, "?")
	switch status {
	case "431":
		return s3err.New(s3err.RequestHeaderSectionTooLarge)
	case "501":
		return s3err.New(s3err.NotImplemented).With("Header", "Transfer-Encoding")
	}
	if _, err := url.PathUnescape(path); err != nil {
		return s3err.New(s3err.InvalidURI).With("URI", path)
	}
	return s3err.New(s3err.BadRequest)
}

// document is a whole answer.
func document(proto string, e *s3err.Error) []byte {
	body := e.AppendXML(nil, s3err.Context{})
	head := proto + " " + strconv.Itoa(e.Status) + " " + http.StatusText(e.Status) + "\r\nContent-Type: application/xml\r\nServer: pail\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\nConnection: close\r\n\r\n"
	return append([]byte(head), body...)
}
