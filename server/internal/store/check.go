package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
	"pail/server/internal/seal"
)

// CheckOptions says what a Check does.
type CheckOptions struct {
	Bytes    bool                // also read all blobs and verify each byte
	Progress func(CheckProgress) // told now and then how far the Check is; nil: nobody is
}

// CheckProgress is how far a Check is. Rows come first, then blobs; Total is 0 as long as it is not known.
type CheckProgress struct {
	Rows        int64
	Done, Total int64 // bytes of blobs
}

// CheckReport is what a Check found. An orphan is a blob that no row refers to: what a crash leaves behind, and no
// problem.
type CheckReport struct {
	Buckets, Objects, Uploads, Parts, Blobs int
	Versions                                int // that are not current, and delete markers
	Orphans                                 int
	Bytes                                   int64   // of blobs that were read
	Problems                                []error // at most maxProblems
	MoreProblems                            int     // that are not among them
	// Affected are the objects and parts that the problems make unreadable, at most maxProblems.
	Affected     []Affected
	MoreAffected int
}

const (
	maxProblems   = 1000
	progressEvery = 4096 // rows
)

// Check reads all metadata and compares it with itself and with the blobs: each record is whole, all that is referred to
// is there, and every reference count is right. It takes one snapshot, so it may run while the store is used. Its memory
// grows with the number of blobs and shared rows, by some 50 bytes for each. The error is that of a Check that could not
// be finished.
func (s *Store) Check(ctx context.Context, opt CheckOptions) (CheckReport, error) {
	c := &checker{ctx: ctx, store: s, opt: opt,
		buckets: map[meta.BucketID]bool{}, uploads: map[meta.ID]bool{},
		data: map[meta.ID]uint64{}, manifests: map[meta.ID]uint64{}, blobs: map[blob.ID]uint64{},
		bad: map[blob.ID]error{}, usage: map[meta.BucketID]Usage{}, walked: map[meta.Table]bool{}}
	err := s.view(ctx, func(r meta.Reader) error {
		for _, step := range []func(meta.Reader) error{
			c.checkBuckets, c.checkConfigs, c.checkUploads, c.checkObjects, c.checkVersions, c.checkParts, c.checkManifests, c.checkData, c.checkRefs,
			c.checkUsage, c.sumBlobs, c.checkBlobs, c.checkOthers, c.findAffected,
		} {
			if err := step(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = c.countOrphans()
	}
	return c.report, storeError(err)
}

var errNoRow = errors.New("it has no row")

// checker counts the references that the rows hold, and then compares.
type checker struct {
	ctx     context.Context
	store   *Store
	opt     CheckOptions
	report  CheckReport
	buckets map[meta.BucketID]bool
	uploads map[meta.ID]bool
	data    map[meta.ID]uint64
	// Counted from objects; a manifest stays until checkManifests has seen it.
	manifests map[meta.ID]uint64
	blobs     map[blob.ID]uint64
	known     map[blob.ID]bool // have a row
	bad       map[blob.ID]error
	usage     map[meta.BucketID]Usage
	walked    map[meta.Table]bool
	lost      bool // some rows could not be read at all, so that counts mean nothing
	progress  CheckProgress
}

func (c *checker) problem(format string, args ...any) {
	if len(c.report.Problems) == maxProblems {
		c.report.MoreProblems++
		return
	}
	c.report.Problems = append(c.report.Problems, fmt.Errorf(format, args...))
}

// walk decodes each row of a table. A damaged one is a problem.
func walk[T any](c *checker, r meta.Reader, t meta.Table, decode func([]byte) (T, error), fn func(key []byte, v T)) error {
	c.walked[t] = true
	lower, upper := t.Bounds()
	return c.rows(r, lower, upper, func(key, record []byte) {
		v, err := decodeRecord(key, record, decode)
		if err != nil {
			c.problem("%w", err)
			return
		}
		fn(key, v)
	})
}

// rows calls fn for each row that can be read. What lies in a damaged file of the database is a problem, and is passed
// over.
func (c *checker) rows(r meta.Reader, lower, upper []byte, fn func(key, record []byte)) error {
	it := r.Iter(lower, upper)
	defer it.Close()
	for ok := it.First(); ; ok = it.Next() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		for !ok {
			again, err := c.passOver(it)
			if err != nil || !again {
				return err
			}
			ok = it.Valid()
		}
		c.countRow()
		fn(it.Key(), it.Value())
	}
}

// passOver moves an iterator that has stopped behind the damage that stopped it.
func (c *checker) passOver(it meta.Iterator) (again bool, err error) {
	err = it.Err()
	var damage *meta.DamagedError
	if !errors.As(err, &damage) || damage.End == nil {
		return false, err
	}
	c.lost = true
	c.problem("%w", err)
	it.SeekGE(append(bytes.Clone(damage.End), 0))
	return true, nil
}

func (c *checker) countRow() {
	c.progress.Rows++
	if c.opt.Progress != nil && c.progress.Rows%progressEvery == 0 {
		c.opt.Progress(c.progress)
	}
}

func (c *checker) checkBuckets(r meta.Reader) error {
	return walk(c, r, meta.Buckets, decodeBucket, func(key []byte, b bucketRow) {
		c.report.Buckets++
		if c.buckets[b.id] {
			c.problem("bucket %q: its number %d is another bucket's", key[1:], b.id)
		}
		c.buckets[b.id] = true
	})
}

func (c *checker) checkBucketOf(key []byte) {
	if b, ok := meta.ParseBucketID(key); !ok || !c.buckets[b] {
		c.problem("row %q belongs to no bucket", key)
	}
}

func (c *checker) checkConfigs(r meta.Reader) error {
	return walk(c, r, meta.Configs, decodeConfig, func(key []byte, _ configRow) { c.checkBucketOf(key) })
}

func (c *checker) checkUploads(r meta.Reader) error {
	return walk(c, r, meta.Uploads, decodeUpload, func(key []byte, _ *uploadRow) {
		c.report.Uploads++
		c.checkBucketOf(key)
		if _, id, ok := meta.ParseUploadKey(key); ok {
			c.uploads[id] = true
		} else {
			c.problem("row %q has a malformed key", key)
		}
	})
}

func (c *checker) checkObjects(r meta.Reader) error {
	return walk(c, r, meta.Objects, decodeObject, func(key []byte, o *objectRow) {
		c.report.Objects++
		c.checkBucketOf(key)
		if o.marker {
			c.problem("object %q is a delete marker", key)
		}
		c.countBody(r, key, o)
	})
}

// countBody counts the reference that an object or a version holds.
func (c *checker) countBody(r meta.Reader, key []byte, o *objectRow) {
	if b, ok := meta.ParseBucketID(key); ok && !o.marker {
		u := c.usage[b]
		c.usage[b] = Usage{Objects: u.Objects + 1, Bytes: u.Bytes + o.size}
	}
	switch o.body.kind {
	case bodyNone:
		if o.size != 0 {
			c.problem("object %q has %d bytes and no body", key, o.size)
		}
	case bodyData:
		c.data[o.body.id]++
		if err := c.checkKey(r, o); err != nil {
			c.problem("object %q: %w", key, err)
		}
	case bodyBlob:
		c.blobs[blob.ID(o.body.id)]++
	case bodyManifest:
		c.manifests[o.body.id]++
		if _, err := loadManifest(r, o); err != nil {
			c.problem("object %q: %w", key, err)
		}
	}
}

// checkUsage compares what buckets hold with what their rows say. Where there is damage, counts mean nothing.
func (c *checker) checkUsage(r meta.Reader) error {
	whole := !c.lost && len(c.report.Problems) == 0
	return walk(c, r, meta.Usages, decodeUsage, func(key []byte, u usageRow) {
		c.checkBucketOf(key)
		b, _ := meta.ParseBucketID(key)
		if n := c.usage[b]; whole && (n.Objects != u.Objects || n.Bytes != u.Bytes) {
			c.problem("row %q counts %d objects of %d bytes, there are %d of %d", key, u.Objects, u.Bytes, n.Objects, n.Bytes)
		}
	})
}

func (c *checker) checkParts(r meta.Reader) error {
	return walk(c, r, meta.Parts, decodePart, func(key []byte, p *partRow) {
		c.report.Parts++
		if id, _ := meta.KeyID(key); !c.uploads[id] {
			c.problem("part %q belongs to no upload", key)
		}
		for _, e := range p.extents {
			c.blobs[e.blob]++
		}
	})
}

func (c *checker) checkManifests(r meta.Reader) error {
	return walk(c, r, meta.Manifests, decodeManifest, func(key []byte, m *manifest) {
		id, _ := meta.KeyID(key)
		if c.manifests[id] == 0 && !c.lost {
			c.problem("manifest %q belongs to no object", key)
		}
		for _, e := range m.extents {
			c.blobs[e.blob]++
		}
	})
}

func (c *checker) checkData(r meta.Reader) error {
	found := 0
	err := walk(c, r, meta.Data, func(p []byte) (int, error) { return len(p), nil }, func(key []byte, _ int) {
		id, _ := meta.KeyID(key)
		if c.data[id] == 0 {
			if c.lost {
				return
			}
			c.problem("data row %q belongs to no object", key)
			return
		}
		found++
	})
	if found < len(c.data) && !c.lost {
		c.problem("%d data rows are missing or damaged", len(c.data)-found)
	}
	return err
}

// checkRefs compares the counts of shared rows.
func (c *checker) checkRefs(r meta.Reader) error {
	shared := 0
	err := walk(c, r, meta.Refs, decodeRefs, func(key []byte, row refsRow) {
		table, id, ok := meta.ParseRefsKey(key)
		counts := map[meta.Table]map[meta.ID]uint64{meta.Data: c.data, meta.Manifests: c.manifests}[table]
		if c.lost {
			return
		}
		if !ok || row.count < 2 || counts[id] != row.count {
			c.problem("row %q counts %d references, there are %d", key, row.count, counts[id])
			return
		}
		shared++
	})
	for _, counts := range []map[meta.ID]uint64{c.data, c.manifests} {
		for _, n := range counts {
			if n > 1 {
				shared--
			}
		}
	}
	if shared != 0 && !c.lost {
		c.problem("%d counts of references are missing", -shared)
	}
	return err
}

// checkBlobs compares the counts of blobs, and looks for their files.
func (c *checker) checkBlobs(r meta.Reader) error {
	c.known = make(map[blob.ID]bool)
	err := walk(c, r, meta.Blobs, decodeRefs, func(key []byte, row refsRow) {
		m, _ := meta.KeyID(key)
		id := blob.ID(m)
		c.report.Blobs++
		c.known[id] = true
		if c.blobs[id] != row.count && !c.lost {
			c.problem("blob %s counts %d references, there are %d", id, row.count, c.blobs[id])
		}
		if err := c.checkFile(id, row.size); err != nil {
			c.bad[id] = err
			c.problem("blob %s: %w", id, err)
		}
		c.countBytes(row.size)
	})
	for id := range c.blobs {
		if !c.known[id] && !c.lost {
			c.bad[id] = &DamagedError{What: "blob " + id.String(), Err: errNoRow}
			c.problem("blob %s is referred to, and has no row", id)
		}
	}
	return err
}

func (c *checker) countBytes(n int64) {
	if !c.opt.Bytes {
		return
	}
	c.report.Bytes += n
	c.progress.Done += n
	if c.opt.Progress != nil {
		c.opt.Progress(c.progress)
	}
}

// sumBlobs adds up what checkBlobs will have to read.
func (c *checker) sumBlobs(r meta.Reader) error {
	if c.opt.Progress == nil || !c.opt.Bytes {
		return nil
	}
	it := r.Iter(meta.Blobs.Bounds())
	defer it.Close()
	var total int64
	for ok := it.First(); ok; ok = it.Next() {
		if row, err := decodeRecord(it.Key(), it.Value(), decodeRefs); err == nil {
			total += row.size
		}
	}
	c.progress.Total = total
	c.opt.Progress(c.progress)
	return nil // checkBlobs meets what stopped the iterator
}

// checkOthers verifies the records of the tables that no other step has walked.
func (c *checker) checkOthers(r meta.Reader) error {
	for table := range 256 {
		if t := meta.Table(table); table < 255 && !c.walked[t] {
			if err := walk(c, r, t, func([]byte) (struct{}, error) { return struct{}{}, nil }, func([]byte, struct{}) {}); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFile looks into the file of a blob. One that was freed since the snapshot may be gone.
func (c *checker) checkFile(id blob.ID, size int64) error {
	b, err := c.store.blobs.Open(c.ctx, id)
	if errors.Is(err, blob.ErrNotFound) {
		if orphan, err2 := c.store.isOrphan(c.ctx, id); orphan || err2 != nil {
			return err2
		}
	}
	if err != nil {
		return err
	}
	defer b.Close()
	if b.Size() != size {
		return fmt.Errorf("it has %d bytes, not %d", b.Size(), size)
	}
	if label := b.Label(); label != nil {
		if err := c.store.keys.Check(seal.ID(id), label); err != nil {
			return err
		}
	}
	if !c.opt.Bytes {
		return nil
	}
	return blob.Verify(b)
}

// checkKey looks for the key of an object whose bytes are in the metadata. A row that cannot be read is a problem already.
func (c *checker) checkKey(r meta.Reader, o *objectRow) error {
	if len(o.extra.Encryption) == 0 {
		return nil
	}
	payload, err := loadPayload(r, o.body.id)
	if err != nil {
		return nil
	}
	label, _, err := splitData(o.body.id, payload)
	if err != nil {
		return err
	}
	return c.store.keys.Check(o.body.id, label)
}

// countOrphans counts the blobs without a row.
func (c *checker) countOrphans() error {
	return c.store.blobs.All(c.ctx, func(id blob.ID, _ blob.Stat) error {
		if c.known[id] {
			return nil
		}
		orphan, err := c.store.isOrphan(c.ctx, id)
		if orphan {
			c.report.Orphans++
		}
		return err
	})
}
