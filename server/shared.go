package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"pail/server/internal/meta"
	"pail/server/internal/meta/pgdb"
	"pail/server/internal/store"
)

// connect makes this server one of those that share a database and a data directory. There is no owner: its tenure lasts
// until the server closes.
func (s *Server) connect() (*tenure, error) {
	t := &tenure{}
	err := s.opt.requireKeys()
	if err == nil {
		err = t.openDatabase(s.opt)
	}
	if err == nil {
		err = s.opt.forgetKeys(t.db)
	}
	if err == nil {
		err = inUse(t.openStore(s.opt, store.Options{AccountQuota: accountQuota(s.opt.Keys), Shared: true}))
	}
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	t.work(s)
	return t, nil
}

// openDatabase opens the database and the blobs, if they belong together.
func (t *tenure) openDatabase(opt Options) error {
	db, err := pgdb.Open(context.Background(), opt.Database, pgdb.Options{Log: opt.Log})
	if err != nil {
		return fmt.Errorf("opening the PostgreSQL database: %w", err)
	}
	t.db = db
	if err := pairDatabase(t.db, opt.DataDir); err != nil {
		return err
	}
	return t.openBlobs(opt)
}

func inUse(err error) error {
	if errors.Is(err, store.ErrInUse) {
		return fmt.Errorf("PostgreSQL database: %w", ErrInUse)
	}
	return err
}

// checkDatabase lets check have the database, of which no server begins to serve meanwhile: ErrInUse when one does already.
func (s *Server) checkDatabase(ctx context.Context, check func(context.Context, *tenure) error) (err error) {
	t := &tenure{}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.openDatabase(s.opt); err != nil {
		return err
	}
	held, release, err := store.Exclude(ctx, t.db)
	if err != nil {
		return inUse(err)
	}
	err = check(held, t)
	if held.Err() != nil && ctx.Err() == nil {
		err = inUse(context.Cause(held))
	}
	return errors.Join(err, release())
}

// pairDatabase makes sure that the data directory belongs to the database, and marks new ones, as pairDirs does.
//
// Several servers may do this at once: each marks the directory before the database, and makes blobs only after both.
func pairDatabase(db meta.DB, data string) error {
	hasBlobs := !missing(filepath.Join(data, blobsDir))
	return db.Update(context.Background(), func(t meta.Txn) error {
		known, err := readMark(t)
		if err != nil {
			return err
		}
		id, head, err := readID(data)
		switch {
		case err != nil:
			return err
		case head != "" && head != pairPG:
			return fmt.Errorf("data directory %s belongs to a metadata directory, not to a PostgreSQL database: give another one", data)
		case known != "" && known == id:
			return nil
		case known != "" || hasBlobs:
			return fmt.Errorf("data directory %s does not belong to the PostgreSQL database: give the two that were used together, or two new ones", data)
		}
		if id == "" {
			if id, err = markShared(data); err != nil {
				return err
			}
		}
		key := meta.PairKey()
		return t.Set(key, meta.Seal(key, []byte(id)))
	})
}

// readMark gives the identity that the database is marked with, "" for a new one.
func readMark(r meta.Reader) (string, error) {
	key := meta.PairKey()
	record, err := r.Get(key)
	if errors.Is(err, meta.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	id, err := meta.Unseal(key, record)
	return string(id), err
}

// markShared marks a new data directory; another server may have done so just now.
func markShared(data string) (string, error) {
	err := writePair(data, pairPG, newPair())
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	id, head, err := readID(data)
	if err == nil && head != pairPG {
		err = fmt.Errorf("data directory %s was just given to others: give a new one", data)
	}
	return id, err
}
