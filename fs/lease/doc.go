// Package lease keeps leases on prefixes of a bucket, for files that are to be made exclusively: while one is in force, the
// service asks here before anybody else makes a key under it, so that what is known to be absent needs no request to be
// made. With a lease for reads, which Options.Reads asks for and newer services have, it asks before anybody else changes
// anything there, so that nothing that was learned since the grant needs to be asked again (UseReads).
//
// A Keeper asks for a lease when a second file is made under a prefix within a few seconds (Ask), and relies on it only for
// a creation, or a question, at a time (Use, UseReads). It has one stream of events with the service, from its first lease until its last one has not
// been used for a minute.
//
//	asked --granted--> held --recalled, idle, closed--> ending --returned--> gone
//	held, ending --the stream breaks or is silent--> lost
//
// One that is asked for above others takes their place (grant.go).
//
// When a lease ends, what relies on it comes to its end first, then Options.Claim makes the keys that were promised on the
// service, then the lease is given back. When one is lost, Claim does so as soon as it can: somebody else may have been
// quicker.
//
// A change to which no answer came may be made at any time, and nobody but the service knows: the leases that it falls under
// are nothing to rely on, and none is asked for there for a while. That is not for those to remember who change something: who
// relies on a Keeper sends all its requests through a Client, which knows the changes among them, and the keys of each. What
// is in doubt is a request as its caller is told of it, be it that he finds out afterwards what became of it; a failure that
// is an answer, and one of a request that changes nothing, costs no lease.
//
// Time is what the service says of its stream, held against when the stream was asked for: an event that waited somewhere
// is as old as it is. Neither of the machine's clocks is relied on alone: one stands while the machine sleeps, the other may be
// set. Where they go apart, the stream ends.
//
// # Locks
//
// Keeper.mu is a leaf but for that of Options.Stamp. Nothing is waited for under it.
package lease
