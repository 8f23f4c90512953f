package volume

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pail/fs/attr"
	"pail/fs/journal"
	"pail/fs/stage"
	"pail/s3client"
)

// replay makes the inodes that the journal tells of, with what was not stored when the last mount ended.
func (v *Volume) replay(ctx context.Context) error {
	if v.opt.Journal == nil {
		return nil
	}
	r := replaying{v: v, parts: map[uint64]journal.Entry{}}
	for _, e := range v.opt.Journal.Entries() {
		r.read(e)
	}
	for _, f := range r.files {
		switch err := r.restore(ctx, f); {
		case errors.Is(err, ErrNoSpace):
			return fmt.Errorf("no room for what the journal holds: %w", err)
		case err != nil:
			r.failed(f.what.Path, err)
		}
	}
	r.endParts()
	if len(r.files) > 0 {
		v.log.Warn("the last mount left files that are not on the service; they are sent now", "files", len(r.files))
	}
	return nil
}

// replaying is what replay has found.
type replaying struct {
	v      *Volume
	files  []journaledFile
	parts  map[uint64]journal.Entry // that no file has claimed
	broken bool
}

type journaledFile struct {
	journal.Entry
	what entry
}

func (r *replaying) read(e journal.Entry) {
	f := journaledFile{Entry: e}
	switch err := json.Unmarshal(e.Info, &f.what); {
	case err != nil:
		r.failed(f.what.Path, err)
	case f.what.Part:
		r.parts[e.ID] = e
	default:
		r.files = append(r.files, f)
	}
}

func (r *replaying) failed(path []byte, err error) {
	r.broken = true
	r.v.log.Error("a file in the journal cannot be read; its entry stays there", "path", string(path), "error", err)
}

// layers finds the parts of a file.
func (r *replaying) layers(f journaledFile) (layers, error) {
	l := layers{base: s3client.ETag(f.what.Base), first: lengthOf(f.Extents)}
	for _, id := range f.what.Parts {
		e, ok := r.parts[id]
		if !ok {
			return l, fmt.Errorf("%w: part %d is missing", journal.ErrDamaged, id)
		}
		delete(r.parts, id)
		l.parts = append(l.parts, part{e.Ref, lengthOf(e.Extents)})
	}
	return l, nil
}

// endParts ends parts that belong to no file, as a Put that was not acknowledged can leave them; unless something is broken.
func (r *replaying) endParts() {
	if r.broken || r.v.opt.Journal.Damaged() {
		return
	}
	for _, e := range r.parts {
		r.v.opt.Journal.Forget(e.Ref)
	}
}

// restore makes an inode as it was when it was journaled.
func (r *replaying) restore(ctx context.Context, f journaledFile) error {
	v, what := r.v, &f.what
	layers, err := r.layers(f)
	if err != nil {
		return err
	}
	info := s3client.ObjectInfo{
		Key: string(what.BaseKey), ETag: s3client.ETag(what.Base), Size: what.BaseSize, LastModified: what.Modified,
		Meta: metaOf(what.Meta), System: what.System,
	}
	o := v.newObject(info)
	o.attr = attr.Decode(info, v.opt.Defaults)
	o.dir, o.full, o.sys = attr.IsDir(o.attr.Mode), true, true
	base := s3client.ObjectInfo{Key: info.Key}
	if what.Stored {
		base = info
		base.Meta = metaOf(what.BaseMeta)
	}
	c := newContent(v, base, what.Stored)
	c.body = what.Body
	for _, a := range what.Sent {
		c.sent.note(a.Size, metaOf(a.Meta))
	}
	c.sent.note(what.Size, info.Meta)
	if err := v.restoreBytes(ctx, c, f.ID, what); err != nil {
		return errors.Join(err, c.close())
	}
	n := v.inodeOf(string(what.Path), typeOf(o))
	n.mu.Lock()
	defer n.unlock()
	n.abandonLocked()
	n.mu.content, n.mu.obj, n.mu.dirty, n.mu.stamp = c, o, true, v.names.Begin()
	n.mu.target = string(c.body)
	n.mu.changes = 1
	layers.file = c.file
	n.mu.log = logged{id: f.ID, ref: f.Ref, changes: 1, held: held{what.Bytes, what.Size, what.Zero}, layers: layers}
	n.openLocked()
	return nil
}

// restoreBytes brings the content into local storage again: layer by layer, and then the size and the zeros that are known
// of the whole.
func (v *Volume) restoreBytes(ctx context.Context, c *content, id uint64, what *entry) error {
	if !what.Bytes {
		return nil
	}
	if what.Stored {
		c.forWriting(v)
	} else {
		c.file = v.opt.Stage.NewFile(nil, 0)
	}
	if err := v.restoreLayers(c.file, append([]uint64{id}, what.Parts...)); err != nil {
		return localError(err)
	}
	if err := c.file.Truncate(what.Size); err != nil {
		return localError(err)
	}
	for _, zero := range what.Zero {
		if err := c.file.Punch(zero.Off, zero.Len); err != nil {
			return localError(err)
		}
	}
	snap, err := c.file.Snapshot()
	if err != nil {
		return localError(err)
	}
	snap.Saved()
	snap.Release(false)
	return nil
}

// restoreLayers gives a file the bytes of entries, each over those before. They stay where the journal has them, so that a
// mount needs no room for what it finds there, nor time to copy it.
func (v *Volume) restoreLayers(file *stage.File, ids []uint64) error {
	var all lent
	for _, id := range ids {
		view, err := v.opt.Journal.View(id)
		if err != nil {
			return errors.Join(err, all.Close())
		}
		all = append(all, view)
	}
	if ranges := all.ranges(); len(ranges) > 0 {
		file.Borrow(all, ranges)
		return nil
	}
	return all.Close()
}

// lent are the bytes of a file in the journal, each view over those before.
type lent []*journal.View

// ranges returns what there are bytes of.
func (l lent) ranges() []stage.Extent {
	var all []journal.Extent
	for _, view := range l {
		all = union(all, view.Extents())
	}
	list := make([]stage.Extent, len(all))
	for i, x := range all {
		list[i] = stage.Extent{Off: x.Off, Len: x.Len, Kind: stage.Data}
	}
	return list
}

// ReadAt implements io.ReaderAt, for what is in ranges.
func (l lent) ReadAt(p []byte, off int64) (int, error) {
	for _, view := range l {
		if err := view.Fill(p, off); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close implements io.Closer.
func (l lent) Close() error {
	var err error
	for _, view := range l {
		err = errors.Join(err, view.Close())
	}
	return err
}

// placeOf returns where a path is, with inodes for the directories above.
func (v *Volume) placeOf(path string) place {
	dir := v.Root()
	for {
		name, rest, below := strings.Cut(path, "/")
		if !below {
			return place{dir, name}
		}
		dir, path = v.inode(place{dir, name}, attr.Dir), rest
	}
}
