package store

import (
	"fmt"
	"strings"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// Affected is an object, or a part of an upload in progress, that cannot be read, or not all of it.
type Affected struct {
	Bucket   string // its name; "bucket number N" when its row is lost
	Key      string
	Version  string // "" for a current object
	UploadID string // of a part, or of an upload whose row is damaged
	Part     int    // 0 for an object
	Err      error
}

func (a Affected) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s/%s", a.Bucket, a.Key)
	if a.Version != "" {
		fmt.Fprintf(&s, " version %s", a.Version)
	}
	if a.UploadID != "" {
		fmt.Fprintf(&s, " upload %s", a.UploadID)
	}
	if a.Part != 0 {
		fmt.Fprintf(&s, " part %d", a.Part)
	}
	return s.String()
}

// findAffected walks all objects and parts once more, when there are problems, and names those that cannot be read.
func (c *checker) findAffected(r meta.Reader) error {
	if len(c.report.Problems) == 0 {
		return nil
	}
	names := c.bucketNames(r)
	for _, t := range []meta.Table{meta.Objects, meta.Versions} {
		lower, upper := t.Bounds()
		err := c.again(r, lower, upper, func(key, record []byte) {
			o, err := decodeRecord(key, record, decodeObject)
			if err == nil {
				err = c.readable(r, o)
			}
			if err != nil {
				a := Affected{Bucket: names(key), Err: err}
				a.Key, a.Version = keyAndVersion(key, o)
				c.affected(a)
			}
		})
		if err != nil {
			return err
		}
	}
	return c.affectedUploads(r, names)
}

// keyAndVersion reads from the key of an object or version what clients call it. row is nil when it cannot be read.
func keyAndVersion(key []byte, row *objectRow) (name, versionID string) {
	if raw, ok := meta.ObjectName(key); ok {
		return string(raw), ""
	}
	name, id, _ := meta.ParseVersionKey(key)
	if row != nil {
		return name, row.versionText()
	}
	return name, versionText(id)
}

func (c *checker) affected(a Affected) {
	if len(c.report.Affected) == maxProblems {
		c.report.MoreAffected++
		return
	}
	c.report.Affected = append(c.report.Affected, a)
}

// again walks rows that were walked before, whose problems are known.
func (c *checker) again(r meta.Reader, lower, upper []byte, fn func(key, record []byte)) error {
	n := len(c.report.Problems)
	more := c.report.MoreProblems
	err := c.rows(r, lower, upper, fn)
	c.report.Problems, c.report.MoreProblems = c.report.Problems[:n], more
	return err
}

// bucketNames gives the name of the bucket that a row's key names by number.
func (c *checker) bucketNames(r meta.Reader) func(key []byte) string {
	names := map[meta.BucketID]string{}
	lower, upper := meta.Buckets.Bounds()
	// What cannot be read has no name.
	_ = c.again(r, lower, upper, func(key, record []byte) {
		if b, err := decodeRecord(key, record, decodeBucket); err == nil {
			names[b.id], _ = meta.BucketName(key)
		}
	})
	return func(key []byte) string {
		id, _ := meta.ParseBucketID(key)
		if name, ok := names[id]; ok {
			return name
		}
		return fmt.Sprintf("bucket number %d", id)
	}
}

// readable looks for what the body of an object stands on.
func (c *checker) readable(r meta.Reader, o *objectRow) error {
	switch o.body.kind {
	case bodyData:
		key := meta.DataKey(o.body.id)
		_, err := load(r, key, func(p []byte) (int, error) { return len(p), nil })
		if err == nil {
			err = c.checkKey(r, o)
		}
		return missing(err, &meta.DamagedError{Key: key, Reason: "missing"})
	case bodyBlob:
		return c.bad[blob.ID(o.body.id)]
	case bodyManifest:
		m, err := loadManifest(r, o)
		if err != nil {
			return err
		}
		return c.badExtent(m.extents)
	}
	return nil
}

func (c *checker) badExtent(list []extent) error {
	for _, e := range list {
		if err := c.bad[e.blob]; err != nil {
			return err
		}
	}
	return nil
}

// affectedUploads names the parts that cannot be read, and the uploads.
func (c *checker) affectedUploads(r meta.Reader, names func([]byte) string) error {
	parts := map[meta.ID][]Affected{}
	found := 0
	lower, upper := meta.Parts.Bounds()
	err := c.again(r, lower, upper, func(key, record []byte) {
		p, err := decodeRecord(key, record, decodePart)
		if err == nil {
			err = c.badExtent(p.extents)
		}
		if err == nil || found >= maxProblems {
			return
		}
		found++
		id, _ := meta.KeyID(key)
		n, _ := meta.PartNumber(key)
		parts[id] = append(parts[id], Affected{Part: n, Err: err})
	})
	if err != nil {
		return err
	}
	lower, upper = meta.Uploads.Bounds()
	return c.again(r, lower, upper, func(key, record []byte) {
		name, id, _ := meta.ParseUploadKey(key)
		at := Affected{Bucket: names(key), Key: name, UploadID: uploadText(id)}
		if _, err := decodeRecord(key, record, decodeUpload); err != nil {
			at.Err = err
			c.affected(at)
		}
		for _, p := range parts[id] {
			at.Part, at.Err = p.Part, p.Err
			c.affected(at)
		}
	})
}
