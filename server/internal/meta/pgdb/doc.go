// Package pgdb is a meta.DB in PostgreSQL, which any number of processes share. It is plain SQL: a table of keys and
// values, compared as bytes whatever the collation, and no extension.
//
// # Transactions
//
// The Updates of one process that wait at a time share a serializable transaction of the database: their functions run
// one after another, each sees what those before it did, and one commit makes all durable. So writers of one process never
// conflict, and hundreds of them pay for one sync of the database's log. Writes are kept in memory until the functions
// have run, and are then sent as one statement.
//
// Transactions of different processes may conflict: the database refuses one, whose functions run again. It then has its
// turn alone (the lock of table pail_turn), and so have some after it, so that nobody starves and little is done in vain.
//
// A View is a read-only snapshot, begun with its first read. PostgreSQL shows nobody what is not committed, and a commit is
// as durable as its synchronous_commit says; "off" is not accepted and becomes "on".
//
// # Commits whose outcome is not known
//
// When the connection ends during a commit, the transaction was committed or was not. Each writing transaction therefore
// leaves a row of its own in pail_commits. To learn the outcome, a fence with the same primary key is inserted there on a
// new connection: the database lets it wait for the old transaction, and tells which of the two is there. If it is the
// fence, the old one can never be committed, and its functions run again. So no Update is applied twice, nor
// reported as failed and applied.
//
// A commit may be there but on no standby yet for which it had to wait: when that wait is cancelled, or the primary starts
// anew. So what is found is told when a commit after it is durable, and this package cancels no commit. While the outcome of
// one is not known, no other is begun.
//
// # Failures of the database
//
// With several hosts in the address, the one that takes writes is found anew whenever a connection ends. What cannot reach
// any is tried again until Options.Patience, and then fails with meta.ErrUnavailable.
//
// A process that is stopped within a transaction may hold locks; the database ends that transaction after idleTimeout, and
// the process finds its connection gone when it goes on.
package pgdb
