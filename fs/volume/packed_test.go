package volume

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pail/fs/attr"
	"pail/fs/tree"
	"pail/s3client"
)

// TestPackedObjectsAreTheSame holds that nothing is lost in the cache of names.
func TestPackedObjectsAreTheSame(t *testing.T) {
	text := rapid.StringN(0, 10, 300)
	when := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1<<35, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		o := object{
			full: rapid.Bool().Draw(t, "full"), sys: rapid.Bool().Draw(t, "sys"), dir: rapid.Bool().Draw(t, "dir"),
			file: rapid.Bool().Draw(t, "file"), view: rapid.Bool().Draw(t, "view"),
		}
		o.info = s3client.ObjectInfo{
			Key: text.Draw(t, "key"), ETag: s3client.ETag(text.Draw(t, "etag")), Size: rapid.Int64().Draw(t, "size"),
			VersionID: text.Draw(t, "version"), StorageClass: text.Draw(t, "class"),
			System: s3client.System{ContentType: text.Draw(t, "type"), Expires: text.Draw(t, "expires")},
		}
		o.attr = attr.Attr{
			Mode: rapid.Uint32().Draw(t, "mode"), UID: rapid.Uint32().Draw(t, "uid"), GID: rapid.Uint32().Draw(t, "gid"),
			Rdev: rapid.Uint64().Draw(t, "rdev"), Links: rapid.Uint32().Draw(t, "links"), LinkTarget: text.Draw(t, "link"),
		}
		if rapid.Bool().Draw(t, "times") {
			o.info.LastModified, o.at = when.Draw(t, "modified"), when.Draw(t, "at")
			o.attr.Mtime, o.attr.Atime, o.attr.Ctime = when.Draw(t, "mtime"), when.Draw(t, "atime"), when.Draw(t, "ctime")
		}
		if rapid.Bool().Draw(t, "meta") {
			o.info.Meta = rapid.MapOf(text, text).Draw(t, "metadata")
		}
		if rapid.Bool().Draw(t, "xattrs") {
			o.attr.Xattrs = rapid.MapOf(text, rapid.SliceOf(rapid.Byte())).Draw(t, "attributes")
		}
		p := pack(o)
		if got := p.unpack(); !reflect.DeepEqual(got, o) {
			t.Fatalf("%+v, want %+v", got, o)
		}
	})
}

// TestMemoryOfNames fills a cache with what a listing tells of files that were written here.
func TestMemoryOfNames(t *testing.T) {
	const count = 50_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	c := names{tree.NewCache[packed](tree.CacheOptions[packed]{MaxEntries: count, TTL: time.Hour, NegativeTTL: time.Hour, Now: time.Now})}
	for i := range count {
		at := time.Unix(1700000000+int64(i), 123456789)
		o := object{full: true, sys: true, at: at}
		o.attr = attr.Attr{Mode: attr.Regular | 0o644, UID: 1000, GID: 1000, Mtime: at, Atime: at, Ctime: at}
		name := fmt.Sprintf("directory/of/some-file-name-%06d.txt", i)
		o.info = s3client.ObjectInfo{
			Key: name, ETag: s3client.ETag(fmt.Sprintf("%032d", i)), Size: int64(i), LastModified: at,
			Meta: attr.Encode(o.attr, nil), System: s3client.System{ContentType: fmt.Sprint("text/", "plain")},
		}
		c.Set(name, o, tree.Stamp{})
	}
	each := (heap() - before) / count
	t.Logf("%d bytes each", each)
	if each > NameMemory {
		t.Errorf("a name takes %d bytes, want %d at most", each, NameMemory)
	}
	runtime.KeepAlive(c)
}
