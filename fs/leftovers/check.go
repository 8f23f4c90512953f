package leftovers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"pail/fs/attr"
	"pail/fs/links"
	"pail/s3client"
)

const (
	unlinkedAge = 7 * 24 * time.Hour // package volume makes copies that are in use anew every day
	otherAge    = 24 * time.Hour
	parallel    = 16 // requests at once
)

// Options say what to do.
type Options struct {
	Repair       bool // else nothing is changed
	ListMetadata bool // listings of the service can carry metadata
	Now          func() time.Time
}

// Finding is something that should not be there.
type Finding struct {
	Key, What string
	Done      string // what was done about it; "" is nothing
}

type checker struct {
	client s3client.Client
	prefix string // "" or ends in a slash
	opt    Options
	report func(Finding) error
}

// Check looks through the keys that begin with prefix, which is "" or ends in a slash, and calls report for everything that
// mounts have left behind. The service has to compare versions for repairs.
func Check(ctx context.Context, client s3client.Client, prefix string, opt Options, report func(Finding) error) error {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c := &checker{client: client, prefix: prefix, opt: opt, report: report}
	f, err := c.scan(ctx, false, nil)
	if err != nil {
		return err
	}
	if err := c.unlinked(ctx, f.unlinked); err != nil {
		return err
	}
	if err := c.scanAgain(ctx, f); err != nil {
		return err
	}
	ids := maps.Clone(f.files)
	maps.Copy(ids, f.lists)
	for id := range f.wanted {
		ids[id] = s3client.ObjectInfo{}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if err := c.file(ctx, f, id); err != nil {
			return err
		}
	}
	return nil
}

// scanAgain adds the names that the first walk could not see.
func (c *checker) scanAgain(ctx context.Context, f *found) error {
	if len(f.files)+len(f.lists) == 0 {
		return nil
	}
	copied, err := c.copied(ctx, f)
	if err != nil {
		return err
	}
	walks := 1
	if len(copied) > 0 {
		walks = 2 // the first has not looked for copies
	}
	for range walks {
		again, err := c.scan(ctx, true, copied)
		if err != nil {
			return err
		}
		f.merge(again)
	}
	return nil
}

// copied returns the IDs of files of which a name may be a copy (links.Origin).
func (c *checker) copied(ctx context.Context, f *found) (map[string]bool, error) {
	ids := map[string]bool{}
	for id, list := range f.lists {
		file, ok := f.files[id]
		if !ok {
			continue
		}
		names, _, err := c.readList(ctx, list)
		if err != nil {
			return nil, err
		}
		if !names.Origins {
			continue
		}
		now, err := c.client.Head(ctx, file.Key)
		switch {
		case err == nil && !links.Moved(now):
			ids[id] = true
		case err != nil && !gone(err):
			return nil, err
		}
	}
	return ids, nil
}

// old reports whether an object has not been changed for a time.
func (c *checker) old(info s3client.ObjectInfo, age time.Duration) bool {
	return !info.LastModified.IsZero() && c.opt.Now().Sub(info.LastModified) > age
}

// unlinked removes copies of removed files that nobody uses any more.
func (c *checker) unlinked(ctx context.Context, copies []s3client.ObjectInfo) error {
	for _, info := range copies {
		if !c.old(info, unlinkedAge) {
			continue
		}
		if err := c.remove(ctx, Finding{Key: info.Key, What: "the copy of a file that was removed while it was open"}, info); err != nil {
			return err
		}
	}
	return nil
}

// file checks one file with several names.
func (c *checker) file(ctx context.Context, f *found, id string) error {
	file, hasFile := f.files[id]
	list, hasList := f.lists[id]
	names := f.names[id]
	if hasFile && !c.old(file, otherAge) || hasList && !c.old(list, otherAge) {
		return nil
	}
	switch {
	case len(names) == 0 && hasFile:
		return c.remove(ctx, Finding{Key: file.Key, What: fmt.Sprintf("a file of %d bytes that no name leads to", file.Size)}, file, list)
	case len(names) == 0:
		return c.remove(ctx, Finding{Key: list.Key, What: "the list of the names of no file"}, list)
	case !hasFile:
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if err := c.report(Finding{Key: names[name], What: "a name that leads to no file"}); err != nil {
				return err
			}
		}
		return nil
	case !hasList:
		return c.report(Finding{Key: file.Key, What: "a file with several names that has no list of them"})
	}
	return c.count(ctx, file, list, names)
}

// remove removes objects that have not changed since they were listed.
func (c *checker) remove(ctx context.Context, f Finding, objects ...s3client.ObjectInfo) error {
	if !c.opt.Repair {
		return c.report(f)
	}
	var keys []string
	for _, info := range objects {
		if info.Key == "" {
			continue
		}
		now, err := c.client.Head(ctx, info.Key)
		switch {
		case gone(err):
			continue
		case err != nil:
			return err
		case now.ETag != info.ETag || now.LastModified.After(info.LastModified):
			return nil // somebody uses it
		}
		keys = append(keys, info.Key)
	}
	if len(keys) == 0 {
		return nil
	}
	if err := c.client.Delete(ctx, keys...); err != nil {
		return err
	}
	f.Done = "removed"
	return c.report(f)
}

// count corrects a list that has other names than there are, and the link count.
func (c *checker) count(ctx context.Context, file, list s3client.ObjectInfo, names map[string]string) error {
	listed, broken, err := c.readList(ctx, list)
	if err == nil && broken != nil {
		return c.report(Finding{Key: list.Key, What: broken.Error()})
	}
	if err != nil || listed.Closed || slices.Equal(slices.Sorted(maps.Keys(listed.Keys)), slices.Sorted(maps.Keys(names))) {
		return err
	}
	f := Finding{Key: file.Key, What: fmt.Sprintf("a file with %d names that counts %d", len(names), len(listed.Keys))}
	if !c.opt.Repair {
		return c.report(f)
	}
	right := links.Names{Keys: names, Origins: listed.Origins}
	_, err = c.client.Put(ctx, list.Key, bytes.NewReader(right.Encode()), s3client.PutOptions{IfMatch: list.ETag})
	if err == nil {
		err = c.storeCount(ctx, file, len(names))
	}
	if errors.Is(err, s3client.ErrPrecondition) || gone(err) {
		return nil // somebody uses it
	}
	if err != nil {
		return err
	}
	f.Done = "corrected"
	return c.report(f)
}

func (c *checker) storeCount(ctx context.Context, file s3client.ObjectInfo, names int) error {
	now, err := c.client.Head(ctx, file.Key)
	if err != nil {
		return err
	}
	meta := maps.Clone(now.Meta)
	meta[attr.LinksName] = strconv.Itoa(names)
	_, err = c.client.Copy(ctx, file.Key, file.Key, s3client.CopyOptions{Replace: true, Meta: meta, System: now.System, SrcIfMatch: now.ETag})
	return err
}

// readList reads a list. One that cannot be read, for which broken says why, or is gone, is as if it were closed: it is left alone.
func (c *checker) readList(ctx context.Context, info s3client.ObjectInfo) (names links.Names, broken, err error) {
	closed := links.Names{Closed: true, Origins: true}
	got, err := c.client.Get(ctx, info.Key, s3client.GetOptions{IfMatch: info.ETag})
	if gone(err) || errors.Is(err, s3client.ErrPrecondition) {
		return closed, nil, nil
	}
	if err != nil {
		return closed, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(got.Body, links.MaxList))
	if closeErr := got.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return closed, nil, err
	}
	names, broken = links.ParseNames(body)
	if broken != nil {
		return closed, broken, nil
	}
	return names, nil, nil
}

func gone(err error) bool {
	return errors.Is(err, s3client.ErrNotFound) && !errors.Is(err, s3client.ErrNoBucket)
}
