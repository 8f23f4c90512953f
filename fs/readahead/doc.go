// Package readahead reads object versions through parallel range requests, within one memory budget for the whole
// mount.
//
// A Source is one immutable object version, read at any offsets by any number of goroutines. Sequential readers are
// recognised (several at a time on one source) and get data fetched ahead of them: in blocks that double up to
// Options.BlockSize, at most Options.MaxWindow of them at once, and never more than a few times what the reader has
// proved to want. Any other read costs one request of little more than what it asked for.
//
// A block is a contiguous range that one GET brings. Its bytes are served as they arrive. Blocks belong to the source,
// not to the reader who asked: a reader whose context ends leaves at once and the fetch goes on; Close of the source
// cancels it. GETs carry If-Match, so that bytes of another version are never mixed in; s3client.ErrPrecondition says
// that the version is gone. A block that was fetched ahead and failed is forgotten; a reader who then needs it asks
// again, and gets the error of its own request only.
//
// First opens whatever version is in place, and brings its first bytes with the answer, if there is memory to spare.
//
// Blocks that came whole are handed to Options.Keeper, one after the other, while readers use them already; so what keeps
// them costs readers no time, and writes large pieces. Where that takes too long they are not kept (keep.go).
//
// Where there is a Keeper, random reads of one version may lead to all of it (whole.go): when they have waited for an eighth
// of the time that it takes to fetch what the keeper does not have, by what fetches of this mount have cost lately (pace.go;
// where none was large, one read after the fourth asks for 1 MiB to learn it), for a quarter where parts are in their way,
// that is fetched in parallel parts, once, of one version at a time, as long as the parts have not been under way for longer
// than reads have waited, for requests of their own or for parts, or would have waited, one after the other, where they
// found what parts had brought. So the time that reads wait, or are spared to, is the proof that it pays; a program that
// reads on has all after little more time than it takes to fetch. A read that finds nothing begins the part that it needs
// with the chunk that it waits for, if one is paid for. Where parts make reads even more than twice as slow, as on a link
// that brings little while a request waits, these have to wait for as long as the whole takes before, so that a program that
// ends soon has not lost more than it waited. Parts are asked for only while there is memory to fetch ahead and room to keep
// them, and give it back to all others once they are kept; so random reads cost at most the object on top of what they have
// asked for.
// Without a Keeper they never get more than they ask for, in whole chunks, or one chunk where these would be two. With one
// it is always whole chunks, as others are not kept.
//
// Memory is chunks of 128 KiB, cut from slabs that are mapped when first needed and kept until the pool closes, since
// memory given back to the system is slow to get again. A block takes all its chunks before its GET starts. Blocks
// that nobody needs at the moment make room in this order: those read to their end, and parts of a whole that are kept, which
// go before memory is mapped anew, as that is far slower; those fetched for one read; those fetched ahead; fetches ahead that
// are still under way are cancelled last. Fetching ahead may use only the first two and leaves a reserve. A
// demanded read that finds no room waits in a queue for a single chunk, and holds none while it waits. So there is always a
// fetch that can finish, and demanded reads never block each other for good.
//
// Locks: Pool.mu guards everything, sources and blocks included; it is held for table look-ups only, never while bytes
// are copied or requested. A reader pins the block it copies from, which keeps its chunks in place.
//
// Large reads need no copy: Lend gives the chunks themselves, pinned until Loan.Return. Who holds a loan must not wait for
// memory, as others may wait for this: so where a read has to wait in the middle, it copies what it has until then.
package readahead
