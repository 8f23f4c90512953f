// Package lease keeps leases on prefixes of keys: who holds one is asked before anybody else makes a key under it.
//
// A holder is a client that keeps a stream of events open (Join). It asks for leases on prefixes (Grant), which do not
// overlap those of others, and gives them back (Return). Whoever is about to make a key finds the lease that is in the
// way (Conflict, Overlap), and waits for its end (Recall): the holder is told, and gives it back, or goes away, or a
// bound passes, and the lease is revoked with all others of its holder. So a holder that hangs delays others by the bound, once.
//
// A holder learns of time from its stream alone: it must not rely on a lease when what it heard last was sent longer ago
// than Trust, which is shorter than the bound. Leases live in memory, and end with the process.
//
// All methods are safe for concurrent use. None but Recall waits.
package lease
