package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/fs/readahead"
)

// lent is the result of a read whose bytes are lent. go-fuse calls Done once, after it has written the answer: but only of
// a result that has Slices, else before, and not at all of one without bytes.
type lent struct {
	loan *readahead.Loan
	n    int
}

var _ interface {
	fuse.ReadResult
	Slices() ([][]byte, fuse.Status)
} = (*lent)(nil)

// result is what go-fuse gets for a read of n bytes, which are in the loan, or in dest where that is nil.
func result(dest []byte, n int, loan *readahead.Loan) fuse.ReadResult {
	switch {
	case loan == nil:
		return fuse.ReadResultData(dest[:n])
	case n == 0:
		loan.Return()
		return fuse.ReadResultData(nil)
	}
	return &lent{loan, n}
}

// Slices returns what is written to the kernel.
func (l *lent) Slices() ([][]byte, fuse.Status) { return l.loan.Parts(), fuse.OK }

// Bytes implements fuse.ReadResult, for those who cannot do with slices.
func (l *lent) Bytes(buf []byte) ([]byte, fuse.Status) {
	buf = buf[:0]
	for _, part := range l.loan.Parts() {
		buf = append(buf, part...)
	}
	return buf, fuse.OK
}

// Size implements fuse.ReadResult.
func (l *lent) Size() int { return l.n }

// Done implements fuse.ReadResult.
func (l *lent) Done() { l.loan.Return() }
