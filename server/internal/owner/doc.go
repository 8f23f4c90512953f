// Package owner decides which of several processes owns a directory that they all can reach, on one machine or on a
// volume shared by many (NFS, CephFS), and lets the one that owned it before do no harm.
//
// # The file
//
// DIR/owners holds one record of 512 bytes for each epoch, the first being 1. Whoever owns the directory has the epoch of
// the last record. The length of the file is the fence: Prove, one fstatx that no cache may answer, fails for ever once
// there is a later record. Records are never rewritten but for one byte, the mark of an epoch that serves.
//
// # Locks and signs of life
//
// The owner holds a write lock (fcntl, of the open file) on its record. Such a lock ends with the process, and on NFS
// with the lease of a machine that is gone; then Take gives the directory to whoever asks first. The lock alone would
// not do: a process that is stopped keeps its lock, and a machine that was cut off does not know that it lost it. So the
// owner touches the directory of its epoch every second, and one that has not done so for Options.Patience is taken over
// although it holds its lock. That it was only slow does no harm, for the reason below.
//
// # Taking over
//
//  1. lock the record of the epoch to be;
//  2. make DIR/epoch-N. Making a directory is exclusive on any file system, so an epoch is claimed once, whatever
//     happened to locks;
//  3. write the record and sync it: from here no earlier owner can prove itself;
//  4. find the last epoch that served, and copy what it left to DIR/epoch-N (the caller's business);
//  5. Serve marks the record. From here DIR/epoch-N is what the next one copies.
//
// A crash before 5 leaves the last epoch that served as it was.
//
// # The rule for the owner
//
// Prove, begun after a change is durable, must succeed before the change is acknowledged. Then the change was durable
// before step 3 of whoever comes next, and is in what step 4 copies. What a former owner writes later lands in the
// directory of its epoch, where nobody reads it. The same holds for reads: what was read before a Prove was then current.
// This needs no clock.
package owner
