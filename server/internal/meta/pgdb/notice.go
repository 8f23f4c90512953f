package pgdb

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// A commit that waits for a synchronous standby is in the primary's log already. When the wait is cancelled, the database
// makes the commit visible, and answers that it succeeded, with a warning.

// warned is the key, in a connection's data, of the last warning.
const warned = "pail warned"

func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[warned] = n.Message
	}
}

// uncancelled keeps pgx from cancelling what a connection waits for that ends: it dials the address that the connection tells.
func uncancelled(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if network == nowhere.Network() {
			return nil, net.UnknownNetworkError(network)
		}
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return anonymous{c}, nil
	}
}

type anonymous struct{ net.Conn }

func (anonymous) RemoteAddr() net.Addr { return nowhere }

const nowhere = noAddr("uncancelled")

type noAddr string

func (a noAddr) Network() string { return string(a) }
func (a noAddr) String() string  { return string(a) }
