package owner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fileName   = "owners"
	recordSize = 512
	markOffset = recordSize - 2 // of the byte that says whether the epoch serves

	marked   = 'S'
	unmarked = '-'
)

// openFile opens the file of records. O_SYNC makes each write durable at once, and keeps an NFS client from writing
// more than it was told to, which would undo what another wrote beside it.
func openFile(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR|os.O_CREATE|unix.O_SYNC, 0o600)
}

// lastEpoch is that of the last record, 0 when there is none. A record that is not whole counts.
func lastEpoch(f *os.File) (uint64, error) {
	size, err := freshSize(f)
	return uint64(size+recordSize-1) / recordSize, err
}

func offsetOf(epoch uint64) int64 { return int64(epoch-1) * recordSize }

// Record says who claimed an epoch.
type Record struct {
	Epoch uint64
	Host  string
	PID   int
	Since time.Time
}

func (r Record) String() string {
	if r.Host == "" {
		return fmt.Sprintf("the owner of epoch %d", r.Epoch)
	}
	return fmt.Sprintf("process %d on host %s since %s, epoch %d", r.PID, r.Host, r.Since.Format(time.RFC3339), r.Epoch)
}

// encode gives the record as a line of text, filled up with blanks.
func (r Record) encode() []byte {
	host := strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return '_'
		}
		return c
	}, r.Host)
	text := fmt.Sprintf("pail epoch %d pid %d since %s host %.255s", r.Epoch, r.PID, r.Since.UTC().Format(time.RFC3339), host)
	b := bytes.Repeat([]byte{' '}, recordSize)
	copy(b, text)
	b[markOffset], b[recordSize-1] = unmarked, '\n'
	return b
}

// readRecord gives the record of an epoch. Of one that is not readable as such only the epoch is set: it is there to tell
// people, nothing is decided by it.
func readRecord(f *os.File, epoch uint64) Record {
	r := Record{Epoch: epoch}
	b := make([]byte, recordSize)
	if _, err := f.ReadAt(b, offsetOf(epoch)); err != nil {
		return r
	}
	w := strings.Fields(string(b[:markOffset]))
	if len(w) != 9 || w[0] != "pail" || w[2] != strconv.FormatUint(epoch, 10) {
		return r
	}
	pid, err1 := strconv.Atoi(w[4])
	since, err2 := time.Parse(time.RFC3339, w[6])
	if err1 == nil && err2 == nil {
		r.PID, r.Since, r.Host = pid, since, w[8]
	}
	return r
}

// served reports whether the epoch was marked.
func served(f *os.File, epoch uint64) (bool, error) {
	var b [1]byte
	_, err := f.ReadAt(b[:], offsetOf(epoch)+markOffset)
	if errors.Is(err, io.EOF) {
		return false, nil // a record that a crash cut short
	}
	return b[0] == marked, err
}

// recorded reports whether a record of the epoch was written, be it in part; a file that was made anew has a hole there.
func recorded(f *os.File, epoch uint64) (bool, error) {
	var b [1]byte
	_, err := f.ReadAt(b[:], offsetOf(epoch))
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return b[0] != 0, err
}

// lock tries to lock the record of an epoch.
func lock(f *os.File, epoch uint64) (bool, error) {
	l := lockOf(unix.F_WRLCK, epoch)
	err := unix.FcntlFlock(f.Fd(), setLock, &l)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return true, nil
}

func unlock(f *os.File, epoch uint64) {
	l := lockOf(unix.F_UNLCK, epoch)
	_ = unix.FcntlFlock(f.Fd(), setLock, &l) // closing the file would do the same
}

// isLocked reports whether another open file holds the lock of the record.
func isLocked(f *os.File, epoch uint64) (bool, error) {
	l := lockOf(unix.F_WRLCK, epoch)
	if err := unix.FcntlFlock(f.Fd(), getLock, &l); err != nil {
		return false, fmt.Errorf("looking for locks of %s: %w", f.Name(), err)
	}
	return l.Type != unix.F_UNLCK, nil
}

func lockOf(kind int16, epoch uint64) unix.Flock_t {
	return unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: offsetOf(epoch), Len: recordSize}
}
