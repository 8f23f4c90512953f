package volume

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Sync stores everything that is not stored yet, as an Fsync of every open file would, and leaves all open. The error
// joins one for every file that could not be stored, with its path; their data stays.
func (v *Volume) Sync(ctx context.Context) error { return v.storeOpen(ctx, func(*Inode) {}) }

// storeOpen stores what is not stored, until ctx ends, and calls then for each inode of which all is.
func (v *Volume) storeOpen(ctx context.Context, then func(*Inode)) error {
	var failed struct {
		sync.Mutex
		errs []error
	}
	var work errgroup.Group
	work.SetLimit(v.opt.Parallel)
	for _, n := range v.openInodes() {
		work.Go(func() error {
			if err := v.commitNow(ctx, n); err != nil {
				path, _ := v.table.Path(n.node)
				failed.Lock()
				defer failed.Unlock()
				failed.errs = append(failed.errs, fmt.Errorf("store %q: %w", path, err))
				return nil
			}
			then(n)
			return nil
		})
	}
	_ = work.Wait() // the functions return nil
	return errors.Join(failed.errs...)
}
