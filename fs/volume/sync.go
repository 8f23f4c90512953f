package volume

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Sync stores everything that is not stored yet, as an Fsync of every open file would, and leaves all open. The error
// joins one for every file that could not be stored, with its path; their data stays.
func (v *Volume) Sync(ctx context.Context) error {
	v.journalOpen(ctx)
	return errors.Join(v.storeOpen(ctx, func(*Inode) {}), v.removals.settle(ctx, all))
}

// storeOpen stores what is not stored, until ctx ends, and calls then for each inode of which all is. It tries every file;
// where the journal has them all, only until it has learned that the service takes none.
func (v *Volume) storeOpen(ctx context.Context, then func(*Inode)) error {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	files := v.openInodes()
	kept := v.opt.Journal != nil && !slices.ContainsFunc(files, func(n *Inode) bool { return !n.journaled() })
	var mu sync.Mutex
	var errs []error
	inARow := 0
	var work errgroup.Group
	work.SetLimit(v.opt.Parallel)
	for _, n := range files {
		work.Go(func() error {
			err := v.commitNow(ctx, n)
			if err == nil {
				then(n)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				inARow = 0
				return nil
			}
			path, _ := v.table.Path(n.node)
			if !kept || len(errs) < maxErrors {
				errs = append(errs, fmt.Errorf("store %q: %w", path, err))
			}
			if inARow++; kept && inARow >= v.opt.Parallel {
				giveUp()
			}
			return nil
		})
	}
	_ = work.Wait() // the functions return nil
	return errors.Join(errs...)
}
