package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"pail/server/internal/meta"
	"pail/server/internal/store"
)

// CheckReport, CheckProgress and Affected are what a Check finds and tells.
type (
	CheckReport   = store.CheckReport
	CheckProgress = store.CheckProgress
	Affected      = store.Affected
)

// ErrDamaged means that stored data or the database are not as they were written.
var ErrDamaged = store.ErrDamaged

// ErrNoStore means that no server has kept anything in the directories.
var ErrNoStore = errors.New("nothing of a pail server is here")

// Check verifies all that a server keeps in DataDir and MetadataDir, every byte of it, and changes nothing: it works on a
// clone of the database. Of the other fields of opt, those that name files of keys are looked at: a key that is not
// there is a problem of what it has encrypted. It fails with ErrInUse while a server runs there.
// progress, unless nil, is called now and then. Damage is in the report; an error
// means that there is none, and matches ErrDamaged when damage is the reason.
func Check(ctx context.Context, opt Options, progress func(CheckProgress)) (report CheckReport, err error) {
	if opt.Database == "" && (missing(opt.MetadataDir) || missing(filepath.Join(opt.MetadataDir, pairFile))) {
		return report, fmt.Errorf("directory %s: %w", opt.MetadataDir, ErrNoStore)
	}
	if missing(filepath.Join(opt.DataDir, blobsDir)) {
		return report, fmt.Errorf("directory %s: %w", opt.DataDir, ErrNoStore)
	}
	s := newServer(opt)
	take := s.checkDirs
	if opt.Database != "" {
		take = s.checkDatabase
	}
	opened := false
	err = take(ctx, func(ctx context.Context, t *tenure) error {
		opened = true
		if err := t.openStore(s.opt, store.Options{NoSweep: true}); err != nil {
			return err
		}
		report, err = t.store.Check(ctx, store.CheckOptions{Bytes: true, Progress: progress})
		return err
	})
	if !opened && errors.Is(err, meta.ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return report, err
}

// checkDirs lets check have the directories.
func (s *Server) checkDirs(ctx context.Context, check func(context.Context, *tenure) error) (err error) {
	t, err := s.take()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	return check(ctx, t)
}
