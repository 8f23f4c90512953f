// Package server is pail's S3 server: it wires the parts below server/internal together and owns what belongs to a
// process rather than to S3 - directories, TLS, health, metrics, start and stop.
//
// New opens the two directories: METADATA holds the database, DATA the bytes of large objects. Both carry the
// same identity file (pair.go), so that a database is never opened over another's data: its start would take every
// blob there for an orphan and sweep it.
//
// # A database for several
//
// With Options.Database the metadata is in PostgreSQL (shared.go), and any number of servers serve at once. There is no owner
// then; the data directory and the database carry the same identity.
//
// # Owner and standbys
//
// Several servers may be started on the same directories, on one machine or on many that share a volume. One owns them
// (package owner); the others stand by, answer 503, and one of them takes over when the owner is gone. Each tenure
// (tenure.go) works on a database of its own, METADATA/epoch-N, cloned from its predecessor's, and tells of no outcome
// before it has proven that it is still the owner. Blobs need no such care: their names are unique, they are seen through
// the database only, and one is removed only on the strength of a transaction that was proven afterwards.
//
// Handler is the S3 API, WebsiteHandler the websites of buckets, MetricsHandler /live, /ready and /metrics. Serve runs a handler on a listener with the limits
// that net/http leaves to its users, and returns only when the requests under way at the end have been answered.
//
// Keys of server-side encryption are in two files (encryption.go): the server's own, which is made at first use, and an
// operator's list of named ones.
//
// Where credentials come from is the caller's business (Keys). They all belong to one account, unless they are Accounts,
// which OpenAccounts reads from a file. Credentials makes a random pair for a server that was given none. There is no
// well-known key.
package server
