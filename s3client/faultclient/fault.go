// Package faultclient decorates a Client with faults, for tests: the n-th call that fits a rule fails, is lost, hangs,
// waits, or has its body cut or damaged.
//
// A fault that loses an answer has the request done first, as a connection does that breaks at the wrong moment. All
// faults but Truncate and Corrupt surface as *s3client.Error.
package faultclient

import (
	"strings"
	"sync/atomic"

	"pail/s3client"
)

// Fault is a rule.
type Fault struct {
	Op    string // one of s3client's Op names; "" fits all
	Key   string // of the object (of a copy and a rename: the target); '*' fits any bytes; "" fits all
	Skip  int    // calls that fit and pass unharmed before the first fault
	Times int    // how many calls are hit; 0 means one, below 0 all
	Do    Action
}

// Action is what happens to a call.
type Action struct {
	kind  kind
	err   error
	n     int64
	until <-chan struct{}
}

type kind int

const (
	pass kind = iota
	fail
	lose
	hang
	delay
	cut
	truncate
	corrupt
)

// Fail refuses the call with err, without doing it. A nil err means s3client.ErrUnavailable.
func Fail(err error) Action { return Action{kind: fail, err: orUnavailable(err)} }

// Lose does the call and then fails it with err; a call that fails by itself keeps its own error. A nil err means
// s3client.ErrUnavailable.
func Lose(err error) Action { return Action{kind: lose, err: orUnavailable(err)} }

// Hang waits for the end of the context.
func Hang() Action { return Action{kind: hang} }

// Delay waits until the channel is closed, or the context ends, and then does the call.
func Delay(until <-chan struct{}) Action { return Action{kind: delay, until: until} }

// Cut breaks the connection after n bytes of the body: a Get's reader sees s3client.ErrUnavailable, a Put or Part is
// not stored and fails so. Other calls fail at once.
func Cut(n int64) Action { return Action{kind: cut, n: n, err: s3client.ErrUnavailable} }

// Truncate ends a Get's body after n bytes as if it were complete. Other calls pass.
func Truncate(n int64) Action { return Action{kind: truncate, n: n} }

// Corrupt changes the byte at offset n of a Get's body. Other calls pass.
func Corrupt(n int64) Action { return Action{kind: corrupt, n: n} }

func orUnavailable(err error) error {
	if err == nil {
		return s3client.ErrUnavailable
	}
	return err
}

// Rule is a Fault in use.
type Rule struct {
	fault Fault
	seen  atomic.Int64
	hits  atomic.Int64
}

// Hits returns how many calls were hit.
func (r *Rule) Hits() int { return int(r.hits.Load()) }

// hit counts a call that may fit and reports whether it is to be hit.
func (r *Rule) hit(op string, keys []string) bool {
	if r.fault.Op != "" && r.fault.Op != op || !r.fits(keys) {
		return false
	}
	nth := r.seen.Add(1) - int64(r.fault.Skip)
	times := int64(r.fault.Times)
	if times == 0 {
		times = 1
	}
	if nth < 1 || times > 0 && nth > times {
		return false
	}
	r.hits.Add(1)
	return true
}

func (r *Rule) fits(keys []string) bool {
	if r.fault.Key == "" {
		return true
	}
	for _, key := range keys {
		if glob(r.fault.Key, key) {
			return true
		}
	}
	return false
}

// glob matches s with a pattern in which '*' stands for any bytes, '/' among them.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
