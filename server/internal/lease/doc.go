// Package lease keeps leases on prefixes of keys: who holds one is asked before anybody else makes a key under it, or, with
// one for reads, before anybody else changes anything there.
//
// A holder is a client that keeps a stream of events open (Join). It asks for leases on prefixes (Grant), which do not
// overlap those of others, and gives them back (Return). Whoever is about to make or change a key finds the lease that is in
// the way (Making, Changing), and waits for its end (Recall): the holder is told, and gives it back, or goes away, or a
// bound passes, and the lease is revoked with all others of its holder. So a holder that hangs delays others by the bound, once.
//
// A holder learns of time from its stream alone: it must not rely on a lease when what it heard last was sent longer ago
// than Trust, which is shorter than the bound. A lease for reads never ends while its holder may rely on it: where the holder
// may not have heard of the end, as its stream is over or another lease was revoked, it lingers for as long.
//
//	granted --returned, replaced by a wider one--------------------> gone
//	granted --recalled--> recalled --returned, the bound has passed--> gone
//	granted --the stream is over, another one is revoked--> lingering --Linger has passed, returned--> gone
//
// Leases live in memory. Who owns the process keeps where there are some for reads (Ended, Held), and tells the next one
// (Restore), in which they linger.
//
// All methods are safe for concurrent use. None but Recall waits.
package lease
