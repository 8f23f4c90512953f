package leftovers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pail/fs/links"
	"pail/s3client"
	"pail/s3client/memclient"
)

// bucket is a bucket with a clock.
type bucket struct {
	*memclient.Client
	t    *testing.T
	caps s3client.Capabilities
	now  time.Time
}

func newBucket(t *testing.T, caps s3client.Capabilities) *bucket {
	b := &bucket{t: t, caps: caps, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	b.Client = memclient.New(memclient.Options{Bucket: "bucket", Capabilities: caps, Now: func() time.Time { return b.now }})
	return b
}

func (b *bucket) put(key string, body []byte, meta s3client.Meta) {
	b.t.Helper()
	if _, err := b.Put(context.Background(), key, bytes.NewReader(body), s3client.PutOptions{Meta: meta}); err != nil {
		b.t.Fatal(err)
	}
}

// file makes a file with a list of names, of which some are there.
func (b *bucket) file(prefix, id string, listed []string, there map[string]string) {
	b.t.Helper()
	ptr := links.Pointer{Key: prefix + links.Inode(id)}
	list := links.Names{Keys: map[string]string{}}
	for _, name := range listed {
		list.Keys[name] = prefix + name
	}
	b.put(ptr.Key, []byte("content"), s3client.Meta{"mode": "33188", "pail-nlink": fmt.Sprint(len(listed))})
	b.put(ptr.List(), list.Encode(), nil)
	for name, key := range there {
		ptr.Name = name
		b.put(key, ptr.Body(), ptr.Meta(nil))
	}
}

// check returns what is found, and what was done about it.
func (b *bucket) check(prefix string, repair bool) (said []string) {
	b.t.Helper()
	err := Check(context.Background(), b.Client, prefix, Options{Repair: repair, ListMetadata: b.caps.ListMetadata, Now: func() time.Time { return b.now }}, func(f Finding) error {
		said = append(said, f.What+" "+f.Done)
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(said)
	return said
}

func id(n uint64) string { return links.NewID(n) }

func TestLeftoversAreFoundAndRemoved(t *testing.T) {
	for name, caps := range map[string]s3client.Capabilities{"full": memclient.Full(), "conditional": {ConditionalPut: true}} {
		t.Run(name, func(t *testing.T) {
			for _, prefix := range []string{"", "p/"} {
				b := newBucket(t, caps)
				b.file(prefix, id(1), []string{"a", "b"}, map[string]string{"a": prefix + "a", "b": prefix + "d/moved"})
				b.file(prefix, id(2), []string{"gone"}, nil)
				b.file(prefix, id(3), []string{"c", "gone", "gone2"}, map[string]string{"c": prefix + "c", "unlisted": prefix + "e"})
				b.put(prefix+".pail/links/"+id(4), links.Names{Keys: map[string]string{"x": "x"}}.Encode(), nil)
				broken := links.Pointer{Key: prefix + links.Inode(id(5)), Name: "broken"}
				b.put(prefix+"broken", broken.Body(), broken.Meta(nil))
				b.put(prefix+links.Unlinked+"copy", []byte("x"), nil)
				b.put(prefix+"plain", []byte("x"), nil)
				if said := b.check(prefix, true); len(said) != 1 {
					t.Errorf("what is young is touched: %q", said)
				}
				b.now = b.now.Add(30 * time.Hour)
				want := []string{"a file of 7 bytes that no name leads to ", "a file with 2 names that counts 3 ", "a name that leads to no file ", "the list of the names of no file "}
				if said := b.check(prefix, false); !slices.Equal(said, want) {
					t.Errorf("found %q", said)
				}
				want = []string{"a file of 7 bytes that no name leads to removed", "a file with 2 names that counts 3 corrected", "a name that leads to no file ", "the list of the names of no file removed"}
				if said := b.check(prefix, true); !slices.Equal(said, want) {
					t.Errorf("repaired %q", said)
				}
				b.now = b.now.Add(7 * 24 * time.Hour)
				want = []string{"a name that leads to no file ", "the copy of a file that was removed while it was open removed"}
				if said := b.check(prefix, true); !slices.Equal(said, want) {
					t.Errorf("in the end %q", said)
				}
				if keys := b.Keys(); len(keys) != 10 {
					t.Errorf("%d keys: %q", len(keys), keys)
				}
			}
		})
	}
}

// hiding is a client of which a walk does not see one key, as it is being renamed.
type hiding struct {
	*memclient.Client
	lists int
	key   string
}

func (h *hiding) List(ctx context.Context, q s3client.ListQuery) (s3client.ListPage, error) {
	h.lists++
	page, err := h.Client.List(ctx, q)
	if h.lists == 1 {
		page.Objects = slices.DeleteFunc(page.Objects, func(o s3client.ObjectInfo) bool { return o.Key == h.key })
	}
	return page, err
}

func TestNamesThatAWalkMissesKeepTheirFile(t *testing.T) {
	b := newBucket(t, memclient.Full())
	b.file("", id(1), []string{"a"}, map[string]string{"a": "a"})
	b.file("", id(2), []string{"b", "c"}, map[string]string{"b": "b", "c": "c"})
	// Made before the prefix was renamed: longer than those that are made now.
	old := links.Pointer{Key: "old/prefix/" + links.Inode(id(3)), Name: "d"}
	b.file("", old.ID(), []string{"d"}, nil)
	b.put("d", old.Body(), old.Meta(nil))
	b.now = b.now.Add(48 * time.Hour)
	for _, key := range []string{"a", "c"} {
		err := Check(context.Background(), &hiding{Client: b.Client, key: key}, "", Options{Repair: true, Now: func() time.Time { return b.now }}, func(f Finding) error {
			return errors.New(f.Key + ": " + f.What)
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A mount of what is above the prefix can move names out of it.
func TestNamesOutsideOfThePrefixKeepTheirFile(t *testing.T) {
	b := newBucket(t, memclient.Full())
	b.file("p/", id(1), []string{"a"}, map[string]string{"a": "q/a"})
	b.file("p/", id(2), []string{"b", "c"}, map[string]string{"b": "p/b", "c": "q/d/c"})
	b.now = b.now.Add(48 * time.Hour)
	for _, prefix := range []string{"p/", "", "q/"} {
		if said := b.check(prefix, true); len(said) > 0 {
			t.Errorf("of %q: %q", prefix, said)
		}
	}
}

func TestWhatIsUsedMeanwhileStays(t *testing.T) {
	b := newBucket(t, memclient.Full())
	b.file("", id(1), []string{"a"}, nil)
	b.now = b.now.Add(48 * time.Hour)
	c := &checker{client: b.Client, opt: Options{Repair: true, Now: func() time.Time { return b.now }}, report: func(f Finding) error {
		return errors.New(f.Key + ": " + f.What)
	}}
	f, err := c.scan(t.Context(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := strings.Join(b.Keys(), " ")
	for id, list := range f.lists {
		b.put(list.Key, links.Names{Keys: map[string]string{"a": "a", "new": "new"}}.Encode(), nil)
		if err := c.file(t.Context(), f, id); err != nil {
			t.Error(err)
		}
	}
	if now := strings.Join(b.Keys(), " "); now != keys {
		t.Errorf("keys are %s, were %s", now, keys)
	}
}

// A file whose bytes were about to move back to its last name, which is a copy by then, stays; what has moved back is no broken name.
func TestCopyAtTheLastNameKeepsItsFile(t *testing.T) {
	for name, caps := range map[string]s3client.Capabilities{"full": memclient.Full(), "conditional": {ConditionalPut: true}} {
		t.Run(name, func(t *testing.T) {
			for _, closed := range []bool{true, false} {
				b := newBucket(t, caps)
				ptr := links.Pointer{Key: links.Inode(id(1)), Name: "b"}
				list := links.Names{Keys: map[string]string{"b": "b", "c": "c"}, Origins: true}
				b.file("", ptr.ID(), nil, nil)
				if closed {
					list.Closed = true
					delete(list.Keys, "c")
				} else {
					b.put("c", ptr.Body(), links.Pointer{Key: ptr.Key, Name: "c"}.Meta(nil))
				}
				b.put(ptr.List(), list.Encode(), nil)
				b.put("d/b", []byte("older content"), links.Origin{Pointer: ptr, Version: "x"}.Meta(s3client.Meta{"ctime": "1.5"}))
				back := links.Pointer{Key: links.Inode(id(2)), Name: "a"}
				b.put("a", []byte("moved back"), links.Origin{Pointer: back, Version: "x"}.Meta(s3client.Meta{"ctime": "1.5"}))
				before := len(b.Keys())
				b.now = b.now.Add(48 * time.Hour)
				if said := b.check("", true); len(said) > 0 || len(b.Keys()) != before {
					t.Errorf("closed %v: %q, keys are %q", closed, said, b.Keys())
				}
				b.put(ptr.Key, nil, links.MovedMeta())
				b.now = b.now.Add(48 * time.Hour)
				if said := b.check("", true); closed && !slices.Equal(said, []string{"a file of 0 bytes that no name leads to removed"}) {
					t.Errorf("after it has moved: %q", said)
				}
			}
		})
	}
}

// A list that cannot be read is told of once.
func TestListThatCannotBeRead(t *testing.T) {
	b := newBucket(t, memclient.Full())
	ptr := links.Pointer{Key: links.Inode(id(1)), Name: "b"}
	b.file("", ptr.ID(), nil, nil)
	b.put(ptr.List(), []byte("no list"), nil)
	b.put("b", ptr.Body(), ptr.Meta(nil))
	b.now = b.now.Add(48 * time.Hour)
	if said := b.check("", true); len(said) != 1 {
		t.Errorf("it says %q", said)
	}
}
