package store

import (
	"errors"

	"pail/server/internal/meta"
)

// checkVersions walks the table of versions, and compares it with the objects and with the rows of null versions.
func (c *checker) checkVersions(r meta.Reader) error {
	nulls := map[string]meta.ID{} // by the key of their row
	last := ""                    // bucket and name of the version before
	err := walk(c, r, meta.Versions, decodeObject, func(key []byte, o *objectRow) {
		c.report.Versions++
		c.checkBucketOf(key)
		c.countBody(r, key, o)
		b, _ := meta.ParseBucketID(key)
		name, id, ok := meta.ParseVersionKey(key)
		if !ok || id != o.id {
			c.problem("version %q is in the place of another", key)
			return
		}
		at := string(meta.NullKey(b, name))
		if o.null {
			if _, twice := nulls[at]; twice {
				c.problem("version %q is the second null version of its object", key)
			}
			nulls[at] = id
		}
		newest := at != last
		last = at
		if newest && !c.lost {
			c.checkNewest(r, b, name, key, o)
		}
	})
	if err != nil {
		return err
	}
	return c.checkNulls(r, nulls)
}

// checkNewest compares the newest version of the table with the object, which must be newer; without one it must be a
// delete marker.
func (c *checker) checkNewest(r meta.Reader, b meta.BucketID, name string, key []byte, o *objectRow) {
	current, err := load(r, meta.ObjectKey(b, name), decodeObject)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		if !o.marker {
			c.problem("version %q should be the current object", key)
		}
	case err == nil && versionRank(current.id) <= versionRank(o.id):
		c.problem("version %q is newer than the current object", key)
	case err == nil && current.isNull() && o.null:
		c.problem("version %q is the second null version of its object", key)
	}
}

func (c *checker) checkNulls(r meta.Reader, nulls map[string]meta.ID) error {
	err := walk(c, r, meta.Nulls, decodeNull, func(key []byte, n nullRow) {
		c.checkBucketOf(key)
		if id, ok := nulls[string(key)]; (!ok || id != meta.ID(n)) && !c.lost {
			c.problem("row %q names a null version that is none", key)
		}
		delete(nulls, string(key))
	})
	for key := range nulls {
		if !c.lost {
			c.problem("null version of %q is not known as such", key)
		}
	}
	return err
}
