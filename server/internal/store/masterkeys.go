package store

import (
	"context"
	"slices"

	"pail/server/internal/meta"
)

// Where several servers share a database, it has the names of the master keys that they have begun to use. So of two with
// different files of keys, which begin at the same moment, one finds out before it encrypts anything.

type keyNames []string

func (n keyNames) encode() []byte {
	var e meta.Encoder
	for _, name := range n {
		e.String(1, name)
	}
	return e.Bytes()
}

func decodeKeyNames(p []byte) (n keyNames, err error) {
	d := meta.NewDecoder(p)
	for d.Next() {
		if d.Tag() == 1 {
			n = append(n, d.String())
		}
	}
	return n, d.Err()
}

func readKeyNames(r meta.Reader) (keyNames, error) {
	n, err := load(r, meta.MasterKeysKey(), decodeKeyNames)
	return n, missing(err, nil)
}

// ClaimMasterKey notes that a master key is used from now on, unless one is noted that the caller does not have: then it gives
// that one's name.
func ClaimMasterKey(ctx context.Context, db meta.DB, name string, has func(name string) bool) (lacks string, err error) {
	err = db.Update(ctx, func(t meta.Txn) error {
		lacks = ""
		names, err := readKeyNames(t)
		if err != nil {
			return err
		}
		for _, used := range names {
			if !has(used) {
				lacks = used
				return nil
			}
		}
		if slices.Contains(names, name) {
			return nil
		}
		return save(t, meta.MasterKeysKey(), append(names, name).encode())
	})
	return lacks, storeError(err)
}

// ForgetMasterKeys forgets, where no Store uses the database, the names that are not recorded as used elsewhere any more.
func ForgetMasterKeys(ctx context.Context, db meta.DB, recorded []string) error {
	return storeError(db.Update(ctx, func(t meta.Txn) error {
		members, err := membersIn(t)
		if err != nil || len(members) > 0 {
			return err
		}
		names, err := readKeyNames(t)
		kept := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(recorded, name) })
		if err != nil || len(kept) == len(names) {
			return err
		}
		return save(t, meta.MasterKeysKey(), kept.encode())
	}))
}
