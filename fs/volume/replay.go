package volume

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pail/fs/attr"
	"pail/fs/journal"
	"pail/s3client"
)

// replay makes the inodes that the journal tells of, with what was not stored when the last mount ended.
func (v *Volume) replay(ctx context.Context) error {
	if v.opt.Journal == nil {
		return nil
	}
	entries := v.opt.Journal.Entries()
	for _, e := range entries {
		var what entry
		err := json.Unmarshal(e.Info, &what)
		if err == nil {
			err = v.restore(ctx, e, &what)
		}
		switch {
		case errors.Is(err, ErrNoSpace):
			return fmt.Errorf("no room for what the journal holds: %w", err)
		case err != nil:
			v.log.Error("a file in the journal cannot be read; its entry stays there", "path", string(what.Path), "error", err)
		}
	}
	if len(entries) > 0 {
		v.log.Warn("the last mount left files that are not on the service; they are sent now", "files", len(entries))
	}
	return nil
}

// restore makes an inode as it was when it was journaled.
func (v *Volume) restore(ctx context.Context, e journal.Entry, what *entry) error {
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
	if err := v.restoreBytes(ctx, c, e, what); err != nil {
		return errors.Join(err, c.close())
	}
	n := v.inodeOf(string(what.Path), typeOf(o))
	n.mu.Lock()
	defer n.unlock()
	n.abandonLocked()
	n.mu.content, n.mu.obj, n.mu.dirty, n.mu.stamp = c, o, true, v.names.Begin()
	n.mu.target = string(c.body)
	n.mu.changes = 1
	n.mu.log = logged{id: e.ID, ref: e.Ref, changes: 1, held: held{what.Bytes, what.Size, what.Zero}}
	n.openLocked()
	return nil
}

// restoreBytes brings the content into local storage again.
func (v *Volume) restoreBytes(ctx context.Context, c *content, e journal.Entry, what *entry) error {
	if !what.Bytes {
		return nil
	}
	if what.Stored {
		c.forWriting(v)
	} else {
		c.file = v.opt.Stage.NewFile(nil, 0)
	}
	if err := c.file.Truncate(ctx, what.Size); err != nil {
		return localError(err)
	}
	for _, zero := range what.Zero {
		if err := c.file.Punch(ctx, zero.Off, zero.Len); err != nil {
			return localError(err)
		}
	}
	err := v.opt.Journal.Read(e.ID, func(p []byte, off int64) error {
		_, err := c.file.WriteAt(ctx, p, off)
		return err
	})
	return localError(err)
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
