package meta

import (
	"errors"
	"fmt"
)

const (
	formatMagic = "pail metadata"
	tagMagic    = 1
	tagVersion  = 2
)

// CheckFormat reads the format row of a database, and writes that of an empty one. Rows of another version, or of another
// program, are ErrVersion.
func CheckFormat(t Txn) error {
	key := FormatKey()
	record, err := t.Get(key)
	if errors.Is(err, ErrNotFound) {
		return writeFormat(t, key)
	}
	if err != nil {
		return err
	}
	payload, err := Unseal(key, record)
	if err != nil {
		return err
	}
	var magic string
	var version uint64
	for d := NewDecoder(payload); d.Next(); {
		switch d.Tag() {
		case tagMagic:
			magic = d.String()
		case tagVersion:
			version = d.Uint()
		}
	}
	if magic != formatMagic || version != FormatVersion {
		return fmt.Errorf("%w: it holds %q version %d, this program knows version %d", ErrVersion, magic, version, FormatVersion)
	}
	return nil
}

func writeFormat(t Txn, key []byte) error {
	it := t.Iter(nil, nil)
	defer it.Close()
	if it.First() {
		return fmt.Errorf("%w: it is a database that is not pail's", ErrVersion)
	}
	if err := it.Err(); err != nil {
		return err
	}
	var e Encoder
	e.String(tagMagic, formatMagic)
	e.Uint(tagVersion, FormatVersion)
	return t.Set(key, Seal(key, e.Bytes()))
}
