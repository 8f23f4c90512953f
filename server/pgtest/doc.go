// Package pgtest runs PostgreSQL servers of their own for tests: Debian's programs, as a user without rights, in a temporary
// directory, on a free port of 127.0.0.1. They end with the test, and with the process whatever becomes of it.
package pgtest
