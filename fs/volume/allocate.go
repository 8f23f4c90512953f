package volume

import "context"

// Allocation says what fallocate(2) does with a range.
type Allocation struct {
	KeepSize bool // the file does not become larger
	Zero     bool // the bytes that are there become zeros, and free their local storage
}

// Allocate makes the file large enough for a range, or zeros in it. It is stored as what is written. No space is set
// aside: a bucket has no end, and the local disk is shared.
func (h *Handle) Allocate(ctx context.Context, how Allocation, off, n int64) error {
	switch {
	case !h.flags.Write:
		return ErrBadHandle
	case off < 0 || n <= 0:
		return ErrInvalid
	case off > h.n.v.upload.MaxSize()-n:
		return ErrTooBig
	}
	if err := h.c.order.lock(ctx); err != nil {
		return err
	}
	defer h.c.order.unlock()
	file, err := h.change()
	if err != nil {
		return err
	}
	if how.Zero {
		if err := file.Punch(off, n); err != nil {
			return localError(err)
		}
	}
	if !how.KeepSize && off+n > file.Size() {
		if err := file.Truncate(off + n); err != nil {
			return localError(err)
		}
	}
	h.disturbed(file.Size())
	return h.changed()
}
