package awss3

import (
	"errors"
	"io"
	"sync"
)

// uploadBody hands a caller's body to the transport. The transport may go on reading after it returned an answer;
// detach makes sure that it does not touch the caller's memory then.
type uploadBody struct {
	mu struct {
		sync.Mutex
		r    io.Reader // nil: detached
		left int64     // bytes that were not read yet
		err  error     // the first that r returned besides io.EOF
	}
}

var errDetached = errors.New("the request is over")

func newUploadBody(r io.Reader, size int64) *uploadBody {
	b := &uploadBody{}
	b.mu.r, b.mu.left = io.LimitReader(r, size), size
	return b
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.left == 0 {
		return 0, io.EOF // the transport asks once more, and would break the connection for another answer
	}
	if b.mu.r == nil {
		return 0, errDetached
	}
	n, err := b.mu.r.Read(p)
	b.mu.left -= int64(n)
	if err != nil && err != io.EOF && b.mu.err == nil {
		b.mu.err = err
	}
	return n, err
}

// Close is the transport's; the body belongs to the caller.
func (b *uploadBody) Close() error { return nil }

// detach waits for a Read in progress and lets no other begin. b may be nil.
func (b *uploadBody) detach() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.r = nil
}

// failure is the error that reading the body gave, nil if there was none. b may be nil.
func (b *uploadBody) failure() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.err
}
