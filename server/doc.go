// Package server is pail's S3 server: it wires the parts below server/internal together and owns what belongs to a
// process rather than to S3 - directories, TLS, health, metrics, start and stop.
//
// New opens the two directories: METADATA/db is the database, DATA holds the bytes of large objects. Both carry the
// same identity file (pair.go), so that a database is never opened over another's data: its start would take every
// blob there for an orphan and sweep it. The data directory is locked while it is open, the database locks itself.
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
