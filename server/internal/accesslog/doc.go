// Package accesslog writes server access logs as S3 does: a line per request, in AWS's format, collected in memory and
// delivered as objects into the bucket that a bucket's logging configuration names (S3 user guide, "Logging requests
// with server access logging").
//
// Delivery is on a best effort, as at AWS: lines come late, and those that were not delivered yet are lost in a crash. What
// is kept in memory is bounded; more is dropped, and counted in the server's own log. The package knows no store: Put,
// which its maker gives it, stores an object.
package accesslog
