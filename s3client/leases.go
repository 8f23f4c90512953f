package s3client

import (
	"context"
	"time"
)

// Leaser is what a Client may offer besides, where Capabilities.Leases is set: leases on prefixes of keys. Who holds one is
// asked before anybody else makes a key under it, or, with one for reads, changes anything there. A decorator over a client that is none answers ErrUnsupported.
type Leaser interface {
	// JoinLeases opens a stream of events, which lasts until it is closed or broken, or ctx ends. A client has one at a
	// time. From then on all its requests that change something name the holder, so that its leases are not in their way.
	JoinLeases(ctx context.Context) (LeaseStream, error)
}

// LeaseStream is a holder of leases, all of which end with it. Its methods are safe for concurrent use, but for Next. They
// are not repeated after a failure.
type LeaseStream interface {
	// Next waits for the next event; those without a prefix come each second. An error is the end of the stream.
	Next() (LeaseEvent, error)
	// Ask asks for a lease on a prefix, which is empty or ends in "/"; with forReads for one for reads, where the service has
	// such. It takes the place of the holder's leases below. ErrConflict: that of another holder overlaps.
	Ask(ctx context.Context, prefix string, forReads bool) (reads bool, err error)
	// Return gives a lease back.
	Return(ctx context.Context, prefix string) error
	// Close ends the stream, also under a Next that waits.
	Close() error
}

// LeaseEvent is what a holder is told.
type LeaseEvent struct {
	Sent   time.Time // not later than when the service sent it, by this machine's clock
	Kind   LeaseEventKind
	Prefix string // of the lease
	Key    string // with Recalled: that somebody wants to make or change, or a prefix that ends in "/"
}

// LeaseEventKind tells events apart.
type LeaseEventKind uint8

// Kinds of events.
const (
	LeaseAlive    LeaseEventKind = iota // the stream goes on
	LeaseRecalled                       // the lease is to be given back, within LeaseBound
	LeaseRevoked                        // it is no longer the holder's
)

// Times of leases, which are the service's.
const (
	LeaseBound = 5 * time.Second // after a recall, until the lease is revoked
	LeaseTrust = 3 * time.Second // for which a holder may rely on what was sent last
)

// JoinLeases opens a stream of c, and answers ErrUnsupported if it is no Leaser.
func JoinLeases(ctx context.Context, c Client) (LeaseStream, error) {
	if leaser, ok := c.(Leaser); ok {
		return leaser.JoinLeases(ctx)
	}
	return nil, &Error{Op: OpLeases, Bucket: c.Bucket(), Err: ErrUnsupported}
}
