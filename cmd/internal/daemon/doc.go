// Package daemon runs a program in the background and lets others wait for its end.
//
// Go cannot fork, so Background starts the same program with the same arguments and environment once more, in a session
// of its own, and talks with it over an inherited socket: the child says when it is ready, the parent looks for itself
// whether that is so, and only its word lets the child stay. Whatever happens to either of them before that, nothing
// stays behind. No secret passes between them: the child finds its configuration where the parent did.
//
// A Run is the trace of a running daemon in a directory of run files. It is locked as long as the daemon lives, so that
// waiting for the lock is waiting for the daemon, and it holds how the daemon ended. A daemon that is killed leaves a
// file without lock and without an end, which the next one removes. Beside it lies a socket where the daemon tells its
// user how it is doing, if it does (Answer, Ask).
package daemon
