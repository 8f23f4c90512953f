package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"pail/server/internal/smallfile"
)

const (
	dbDir     = "db"        // the database below the metadata directory as versions kept it that knew no epochs
	movedFile = "moved"     // in dbDir, once an epoch was made of it
	movedDir  = ".db-moved" // dbDir while it is being removed
)

// checkOldLayout fails where a database as earlier versions kept it lies beside an epoch that was not made of it: somebody
// has put it there, and only they know which of the two is wanted.
func (t *tenure) checkOldLayout(opt Options) error {
	base, old := t.epoch.Base(), filepath.Join(opt.MetadataDir, dbDir)
	if base == "" || base == old || missing(old) || !missing(filepath.Join(old, movedFile)) {
		return nil
	}
	return fmt.Errorf("metadata directory %s has two databases, %s and %s: to go on with %[3]s, move %[2]s away; to go on with %[2]s, move owners and all epoch-* away", opt.MetadataDir, old, base)
}

// lockOutOldVersions has the identity files say that versions which know no epochs must not open these directories, and
// notes in their database that it has moved. It comes before the epoch serves: after that they must not begin.
func (t *tenure) lockOutOldVersions(opt Options) error {
	if err := upgradePair(opt.MetadataDir, opt.DataDir); err != nil {
		return err
	}
	old := filepath.Join(opt.MetadataDir, dbDir)
	if t.epoch.Base() != old {
		return nil
	}
	return smallfile.Write(filepath.Join(old, movedFile), []byte(filepath.Base(t.epoch.Dir())+"\n"), 0o600)
}

// retireOldLayout removes a database as earlier versions kept it, which the epoch holds now. Its name goes first and at
// once, so that a crash leaves no part of it to be taken for a database.
func (t *tenure) retireOldLayout(opt Options) error {
	moved := filepath.Join(opt.MetadataDir, movedDir)
	if err := os.RemoveAll(moved); err != nil || t.dbLock == nil {
		return err
	}
	old := filepath.Join(opt.MetadataDir, dbDir)
	opt.Log.Info("metadata moved to a directory for each owner", "from", old, "to", t.epoch.Dir())
	if err := os.Rename(old, moved); err != nil {
		return err
	}
	err := errors.Join(smallfile.SyncDir(opt.MetadataDir), t.dbLock.Close())
	t.dbLock = nil
	if err != nil {
		return err
	}
	return os.RemoveAll(moved)
}
