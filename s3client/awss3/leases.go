package awss3

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"pail/s3client"
)

var _ s3client.Leaser = (*Client)(nil)

// leaseHolder is the header that names the holder of leases whose request it is.
const leaseHolder = "X-Pail-Lease-Holder"

// leaseAuthority is the header that tells that a lease is for reads. Services that have none take no notice of being asked.
const leaseAuthority = "X-Pail-Lease-Authority"

// maxLeaseLine bounds a line of the stream: two keys, escaped.
const maxLeaseLine = 16 << 10

// leaseStream is a holder of leases.
type leaseStream struct {
	c     *Client
	name  string
	begun time.Time // before the service began the stream
	resp  *http.Response
	lines *bufio.Scanner
	stop  context.CancelFunc
	r     *request
}

// nameHolder has requests name the first holder before there is one: those that are on their way when it gets a lease would
// be in the way of its own.
func (c *Client) nameHolder() {
	if name := rand.Text(); c.leaseHolder.CompareAndSwap(nil, &name) {
		c.firstHolder.Store(&name)
	}
}

// JoinLeases opens the stream of a holder with a name of its own, which requests have from now on, not only once there is an
// answer. It is never that of an earlier stream: what was asked of that, and is late, must not concern this one.
func (c *Client) JoinLeases(ctx context.Context) (s3client.LeaseStream, error) {
	ctx, stop := context.WithCancel(ctx)
	s := &leaseStream{c: c, name: rand.Text(), begun: c.now(), stop: stop}
	if first := c.firstHolder.Swap(nil); first != nil {
		s.name = *first
	}
	last := c.leaseHolder.Swap(&s.name)
	s.r = s.request(http.MethodGet, "lease")
	var err error
	if s.resp, err = c.do(ctx, s.r); err != nil {
		stop()
		if last != nil {
			c.leaseHolder.CompareAndSwap(&s.name, last) // whose leases may linger
		}
		return nil, err
	}
	s.lines = bufio.NewScanner(s.resp.Body)
	s.lines.Buffer(nil, maxLeaseLine)
	return s, nil
}

func (s *leaseStream) request(method, query string) *request {
	r := s.c.newRequest(s3client.OpLeases, method, "")
	set(r.header, leaseHolder, s.name)
	r.query = query
	return r
}

// Next reads a line. The service tells when it sent it, from the beginning of the stream on; that was after begun.
func (s *leaseStream) Next() (e s3client.LeaseEvent, err error) {
	var line struct {
		Time            int64
		Recall, Revoked *string
		Key             string
	}
	switch {
	case s.lines.Scan():
		err = json.Unmarshal(s.lines.Bytes(), &line)
	case s.lines.Err() != nil:
		err = s.lines.Err()
	default:
		err = fmt.Errorf("the service has ended the stream")
	}
	e.Sent = s.begun.Add(time.Duration(line.Time) * time.Millisecond)
	prefix := line.Recall
	switch {
	case line.Recall != nil:
		e.Kind = s3client.LeaseRecalled
	case line.Revoked != nil:
		e.Kind, prefix = s3client.LeaseRevoked, line.Revoked
	}
	if err == nil && prefix != nil {
		if e.Prefix, err = url.QueryUnescape(*prefix); err == nil {
			e.Key, err = url.QueryUnescape(line.Key)
		}
	}
	if err != nil {
		return e, s.c.newError(s.r, fmt.Errorf("%w: %w", s3client.ErrUnavailable, err))
	}
	return e, nil
}

// Ask asks for a lease.
func (s *leaseStream) Ask(ctx context.Context, prefix string, forReads bool) (reads bool, err error) {
	query := "lease&prefix=" + escapeQuery(prefix)
	if forReads {
		query = "authority=reads&" + query
	}
	resp, err := s.c.do(ctx, s.request(http.MethodPut, query))
	if err != nil {
		return false, err
	}
	finish(resp)
	return resp.Header.Get(leaseAuthority) == "reads", nil
}

// Return gives a lease back.
func (s *leaseStream) Return(ctx context.Context, prefix string) error {
	resp, err := s.c.do(ctx, s.request(http.MethodDelete, "lease&prefix="+escapeQuery(prefix)))
	if err == nil {
		finish(resp)
	}
	return err
}

// Close ends the stream. Requests go on to name the holder, until there is another one: its leases may be in the way of others
// for a while.
func (s *leaseStream) Close() error {
	s.stop()
	return s.resp.Body.Close()
}
