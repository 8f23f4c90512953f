package leftovers

import (
	"cmp"
	"context"
	"maps"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"pail/fs/links"
	"pail/s3client"
)

// found is what a walk has seen.
type found struct {
	unlinked []s3client.ObjectInfo
	files    map[string]s3client.ObjectInfo // by ID
	lists    map[string]s3client.ObjectInfo
	names    map[string]map[string]string // keys by ID and name
	wanted   map[string]bool              // IDs that names say are below this prefix
}

// scan walks through all keys below the prefix. Thorough, it goes through the whole bucket, as a mount of what is above may
// have moved a name out of the prefix; else it takes only objects for names that are as long as those that are made under
// this prefix now. Of the files with the IDs in copied it looks for copies too, of which any object may be one.
func (c *checker) scan(ctx context.Context, thorough bool, copied map[string]bool) (*found, error) {
	f := &found{
		files: map[string]s3client.ObjectInfo{}, lists: map[string]s3client.ObjectInfo{},
		names: map[string]map[string]string{}, wanted: map[string]bool{},
	}
	var mu sync.Mutex
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	q := s3client.ListQuery{Prefix: c.prefix, WithMeta: c.opt.ListMetadata}
	if thorough {
		q.Prefix = ""
	}
	for {
		page, err := c.client.List(ctx, q)
		if err != nil {
			return nil, cmp.Or(work.Wait(), err)
		}
		for _, info := range page.Objects {
			if f.own(c.prefix, info) || len(copied) == 0 && !c.mayBeName(info, thorough) {
				continue
			}
			work.Go(func() error {
				meta, err := c.meta(ctx, info)
				mu.Lock()
				defer mu.Unlock()
				if ptr, ok := links.ParsePointer(meta); ok {
					f.add(c.prefix, ptr, info.Key)
				} else if origin, ok := links.ParseOrigin(meta); ok && copied[origin.ID()] {
					f.addName(origin.Pointer, info.Key)
				}
				return err
			})
		}
		if q.Token = page.NextToken; q.Token == "" {
			return f, work.Wait()
		}
	}
}

// own takes an object that is below .pail, and reports whether it is one.
func (f *found) own(prefix string, info s3client.ObjectInfo) bool {
	path, below := strings.CutPrefix(info.Key, prefix)
	if !below {
		return false
	}
	if strings.HasPrefix(path, links.Unlinked) {
		f.unlinked = append(f.unlinked, info)
	} else if dir, id, ok := links.ParseInode(path); ok && dir == "" {
		f.files[id] = info
	} else if id, ok := links.ParseList(path); ok {
		f.lists[id] = info
	}
	return strings.HasPrefix(path, links.Hidden+"/")
}

func (f *found) add(prefix string, ptr links.Pointer, key string) {
	id := ptr.ID()
	path, below := strings.CutPrefix(ptr.Key, prefix)
	if dir, _, ok := links.ParseInode(path); below && ok && dir == "" {
		f.wanted[id] = true
	}
	f.addName(ptr, key)
}

func (f *found) addName(ptr links.Pointer, key string) {
	id := ptr.ID()
	if f.names[id] == nil {
		f.names[id] = map[string]string{}
	}
	f.names[id][ptr.Name] = key
}

// mayBeName reports whether an object has the size of a name.
func (c *checker) mayBeName(info s3client.ObjectInfo, thorough bool) bool {
	size := func(prefix string) int64 {
		return int64(len(links.Pointer{Key: prefix + links.Inode(links.NewID(0))}.Body()))
	}
	if !thorough {
		return info.Size == size(c.prefix)
	}
	return info.Size >= size("") && info.Size <= size("")+s3client.MaxKeyLength
}

// meta reads what an object says. One that is gone says nothing.
func (c *checker) meta(ctx context.Context, info s3client.ObjectInfo) (s3client.Meta, error) {
	if info.Meta != nil {
		return info.Meta, nil
	}
	info, err := c.client.Head(ctx, info.Key)
	if gone(err) {
		err = nil
	}
	return info.Meta, err
}

// merge adds the names that another walk has found.
func (f *found) merge(other *found) {
	maps.Copy(f.wanted, other.wanted)
	for id, names := range other.names {
		if f.names[id] == nil {
			f.names[id] = map[string]string{}
		}
		maps.Copy(f.names[id], names)
	}
}
