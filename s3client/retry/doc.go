// Package retry decorates a Client so that what may pass is tried again: throttling, an unreachable service, a broken
// connection, a checksum that does not match, a conflicting operation (409), and once refused credentials, which the
// implementation has fetched anew by then. Between attempts it waits: exponential backoff with jitter, at least
// what the service asked for, and never past the deadline. The end of the context ends a wait at once.
//
// Bodies are rewound to where they stood. The body of a Get goes on by itself: after a failure the rest is fetched as a
// range of the same version (If-Match), so that a reader sees neither the failure nor another version's bytes.
//
// # Lost answers
//
// When a connection breaks, the request may have been done. For most operations doing them twice is harmless. A conditional
// write is different: the second attempt meets the result of the first one and is told that its condition does not hold; a
// second Complete finds no upload, a second Rename no source. So after an attempt without an answer, such a refusal is
// looked into with a Head: what is in place is taken for our own if it has the size, the metadata (the file system's times
// have nanoseconds) and, where the content's MD5 or the parts' ETags tell it, the ETag that we sent, and was not written
// long before we began; that of a Patch tells what it was made of; a renamed object if the source is gone and the target
// has its ETag; a directory that is not there was deleted. Then the call succeeds. In doubt it does not: an exclusive
// creation without any metadata is never taken for ours, because two clients that both create an empty object could not be
// told apart.
//
// A NewUpload whose answer is lost leaves an upload that nobody knows; the bucket's rule for incomplete uploads removes
// it.
package retry
