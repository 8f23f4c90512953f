package journal

import (
	"fmt"
	"sync"
)

// allowanceStep is how much may be written between two looks at the free space.
const allowanceStep = 16 << 20

// room keeps the promise of free space.
type room struct {
	mu        sync.Mutex
	allowance int64 // bytes that may be written before the free space is asked for again
}

// reserve says ErrFull if the journal may not have n more bytes.
func (j *Journal) reserve(n int64) error {
	j.mu.Lock()
	held := j.mu.bytes
	j.mu.Unlock()
	if limit := j.opt.MaxBytes; limit > 0 && held+n > limit {
		return fmt.Errorf("%w: it has %d bytes and may have %d", ErrFull, held, limit)
	}
	return nil
}

// spare says ErrFull if the disk has no room for n more bytes.
func (j *Journal) spare(n int64) error {
	if j.opt.KeepFree <= 0 {
		return nil
	}
	j.room.mu.Lock()
	defer j.room.mu.Unlock()
	if j.room.allowance -= n; j.room.allowance >= 0 {
		return nil
	}
	free, err := j.fs.Free()
	if err != nil {
		return err
	}
	left := free - j.opt.KeepFree - n
	if left < 0 {
		j.room.allowance = 0
		return fmt.Errorf("%w: %d bytes must stay free on its disk", ErrFull, j.opt.KeepFree)
	}
	j.room.allowance = min(left, allowanceStep)
	return nil
}
