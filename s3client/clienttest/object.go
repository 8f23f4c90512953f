package clienttest

import (
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"pail/s3client"
)

func (s *suite) putGetHead() {
	const content = "hello, world"
	info := s.put("dir/file", content, s3client.PutOptions{})
	want := s3client.ETag(fmt.Sprintf("%x", md5.Sum([]byte(content))))
	if info.Key != "dir/file" || info.Size != int64(len(content)) || info.ETag != want {
		s.Errorf("Put returned %+v, want size %d and ETag %s", info, len(content), want)
	}
	got, data := s.get("dir/file", s3client.GetOptions{})
	for name, info := range map[string]s3client.ObjectInfo{"Head": s.head("dir/file"), "Get": got} {
		if info.Key != "dir/file" || info.Size != int64(len(content)) || info.ETag != want {
			s.Errorf("%s returned %+v, want size %d and ETag %s", name, info, len(content), want)
		}
		if info.Meta == nil || len(info.Meta) != 0 {
			s.Errorf("%s: Meta is %#v, want an empty map", name, info.Meta)
		}
		if age := time.Since(info.LastModified); age < -time.Minute || age > 10*time.Minute {
			s.Errorf("%s: LastModified is %v", name, info.LastModified)
		}
	}
	if data != content {
		s.Errorf("Get read %s", brief(data))
	}
}

func (s *suite) emptyObject() {
	s.put("dir/", "", s3client.PutOptions{Meta: s3client.Meta{"mode": "16877"}})
	s.wantContent("dir/", "")
	if info := s.head("dir/"); info.Size != 0 || info.Meta["mode"] != "16877" {
		s.Errorf("Head returned %+v", info)
	}
	if _, err := s.c.Put(s.ctx, "nil", nil, s3client.PutOptions{}); err != nil {
		s.Fatalf("Put with a nil body: %v", err)
	}
	s.wantContent("nil", "")
}

func (s *suite) putFromPosition() {
	body := strings.NewReader("skipped|kept")
	if _, err := body.Seek(8, io.SeekStart); err != nil {
		s.Fatal(err)
	}
	if _, err := s.c.Put(s.ctx, "k", body, s3client.PutOptions{}); err != nil {
		s.Fatal(err)
	}
	s.wantContent("k", "kept")
}

func (s *suite) overwrite() {
	first := s.put("k", "one", s3client.PutOptions{Meta: s3client.Meta{"a": "1"}})
	second := s.put("k", "second", s3client.PutOptions{Meta: s3client.Meta{"b": "2"}})
	if first.ETag == second.ETag {
		s.Error("another content has the same ETag")
	}
	s.wantContent("k", "second")
	if got := s.head("k").Meta; !maps.Equal(got, s3client.Meta{"b": "2"}) {
		s.Errorf("Meta is %v", got)
	}
}

func (s *suite) metaIsKept() {
	meta := s3client.Meta{
		"mode": "33188", "uid": "1000", "mtime": "1700000000.123456789",
		"xattr": "%7B%22user.a%22%3A%22AAE%3D%22%7D", "empty": "", "with-dash_and.dot": "a  b; c=\"d\", %41+/~",
	}
	s.put("k", "x", s3client.PutOptions{Meta: meta})
	if got := s.head("k").Meta; !maps.Equal(got, meta) {
		s.Errorf("Head: Meta is %v, want %v", got, meta)
	}
	if info, _ := s.get("k", s3client.GetOptions{}); !maps.Equal(info.Meta, meta) {
		s.Errorf("Get: Meta is %v, want %v", info.Meta, meta)
	}
	s.put("upper", "x", s3client.PutOptions{Meta: s3client.Meta{"Mixed-Case": "V"}})
	if got := s.head("upper").Meta; !maps.Equal(got, s3client.Meta{"mixed-case": "V"}) {
		s.Errorf("Meta of upper case is %v", got)
	}
}

func (s *suite) systemIsKept() {
	sys := s3client.System{
		ContentType: "text/x-c; charset=utf-8", CacheControl: "max-age=60, public", ContentDisposition: `attachment; filename="a b"`,
		ContentEncoding: "br", ContentLanguage: "de-AT", Expires: "Thu, 01 Dec 2033 16:00:00 GMT",
	}
	s.put("k", "int main;", s3client.PutOptions{System: sys})
	if got := s.head("k").System; got != sys {
		s.Errorf("Head: System is %+v, want %+v", got, sys)
	}
	if info, data := s.get("k", s3client.GetOptions{}); info.System != sys || data != "int main;" {
		s.Errorf("Get: System is %+v, want %+v; content %q", info.System, sys, data)
	}
}

func (s *suite) badMeta() {
	for _, meta := range []s3client.Meta{{"a b": "x"}, {"": "x"}, {"a": "x\r\nx-amz-acl: public-read"}, {"a": "\x00"}} {
		_, err := s.c.Put(s.ctx, "k", strings.NewReader("x"), s3client.PutOptions{Meta: meta})
		s.wantErr(err, s3client.ErrInvalid)
	}
	_, err := s.c.Head(s.ctx, "k")
	s.wantErr(err, s3client.ErrNotFound)
}

func (s *suite) notFound() {
	_, err := s.c.Head(s.ctx, "missing")
	s.wantErr(err, s3client.ErrNotFound)
	_, err = s.c.Get(s.ctx, "missing", s3client.GetOptions{})
	s.wantErr(err, s3client.ErrNotFound)
	_, err = s.c.Copy(s.ctx, "dst", "missing", s3client.CopyOptions{})
	s.wantErr(err, s3client.ErrNotFound)
	s.put("a/b", "x", s3client.PutOptions{})
	for _, key := range []string{"a", "a/"} {
		_, err = s.c.Head(s.ctx, key)
		s.wantErr(err, s3client.ErrNotFound)
	}
}

func (s *suite) ranges() {
	content := pattern(100_000, 1)
	s.put("k", content, s3client.PutOptions{})
	s.put("empty", "", s3client.PutOptions{})
	for _, r := range []s3client.Range{{Off: 0, Len: 1}, {Off: 0, Len: 100_000}, {Off: 99_999, Len: 1}, {Off: 500, Len: 70_000}, {Off: 99_990, Len: 1000}, {Off: 70_000}} {
		info, got := s.get("k", s3client.GetOptions{Range: r})
		end := int64(len(content))
		if r.Len > 0 {
			end = min(end, r.Off+r.Len)
		}
		if got != content[r.Off:end] {
			s.Errorf("range %+v read %s", r, brief(got))
		}
		if info.Size != int64(len(content)) {
			s.Errorf("range %+v: Info.Size is %d, want the whole object's", r, info.Size)
		}
	}
	_, err := s.c.Get(s.ctx, "k", s3client.GetOptions{Range: s3client.Range{Off: 100_000, Len: 1}})
	s.wantErr(err, s3client.ErrRange)
	_, err = s.c.Get(s.ctx, "empty", s3client.GetOptions{Range: s3client.Range{Off: 0, Len: 1}})
	s.wantErr(err, s3client.ErrRange)
}

func (s *suite) getIfMatch() {
	old := s.put("k", "one", s3client.PutOptions{}).ETag
	if _, got := s.get("k", s3client.GetOptions{IfMatch: old}); got != "one" {
		s.Errorf("Get read %q", got)
	}
	s.put("k", "two", s3client.PutOptions{})
	_, err := s.c.Get(s.ctx, "k", s3client.GetOptions{IfMatch: old, Range: s3client.Range{Off: 1, Len: 1}})
	s.wantErr(err, s3client.ErrPrecondition)
}

func (s *suite) needConditions() {
	s.Helper()
	if !s.caps.ConditionalPut {
		s.Skip("the service has no conditional writes")
	}
}

func (s *suite) putIfMatch() {
	s.needConditions()
	old := s.put("k", "one", s3client.PutOptions{}).ETag
	now := s.put("k", "two", s3client.PutOptions{IfMatch: old}).ETag
	_, err := s.c.Put(s.ctx, "k", strings.NewReader("three"), s3client.PutOptions{IfMatch: old})
	s.wantErr(err, s3client.ErrPrecondition)
	s.wantContent("k", "two")
	_, err = s.c.Put(s.ctx, "missing", strings.NewReader("x"), s3client.PutOptions{IfMatch: now})
	s.wantErr(err, s3client.ErrNotFound)
	_, err = s.c.Head(s.ctx, "missing")
	s.wantErr(err, s3client.ErrNotFound)
}

func (s *suite) putIfNoneMatch() {
	if !s.caps.Exclusive() {
		s.Skip("the service has no conditional writes")
	}
	s.put("k", "one", s3client.PutOptions{IfNoneMatch: true})
	_, err := s.c.Put(s.ctx, "k", strings.NewReader("two"), s3client.PutOptions{IfNoneMatch: true})
	s.wantErr(err, s3client.ErrPrecondition)
	s.wantContent("k", "one")
	if err := s.c.Delete(s.ctx, "k"); err != nil {
		s.Fatal(err)
	}
	s.put("k", "three", s3client.PutOptions{IfNoneMatch: true})
}

func (s *suite) copy() {
	opt := s3client.PutOptions{Meta: s3client.Meta{"mode": "33188"}, System: s3client.System{ContentType: "text/plain"}}
	src := s.put("src", "content", opt)
	info, err := s.c.Copy(s.ctx, "dst", "src", s3client.CopyOptions{SrcIfMatch: src.ETag})
	if err != nil {
		s.Fatal(err)
	}
	if info.Key != "dst" || info.ETag == "" {
		s.Errorf("Copy returned %+v", info)
	}
	s.wantContent("dst", "content")
	s.wantContent("src", "content")
	if got := s.head("dst"); !maps.Equal(got.Meta, opt.Meta) || got.System.ContentType != "text/plain" || got.ETag != info.ETag {
		s.Errorf("the copy is %+v, Copy returned %+v", got, info)
	}
}

func (s *suite) copyOntoItself() {
	s.put("k", "content", s3client.PutOptions{Meta: s3client.Meta{"mode": "33188", "gone": "x"}})
	opt := s3client.CopyOptions{Replace: true, Meta: s3client.Meta{"mode": "33261"}, System: s3client.System{ContentType: "text/html", ContentLanguage: "en"}}
	info, err := s.c.Copy(s.ctx, "k", "k", opt)
	if err != nil {
		s.Fatal(err)
	}
	s.wantContent("k", "content")
	got := s.head("k")
	if !maps.Equal(got.Meta, opt.Meta) || got.System != opt.System || got.ETag != info.ETag {
		s.Errorf("the object is %+v, want %v and %+v", got, opt.Meta, opt.System)
	}
	_, err = s.c.Copy(s.ctx, "k", "k", s3client.CopyOptions{})
	s.wantErr(err, s3client.ErrInvalid)
}

func (s *suite) copyConditions() {
	old := s.put("src", "one", s3client.PutOptions{}).ETag
	s.put("src", "two", s3client.PutOptions{})
	_, err := s.c.Copy(s.ctx, "dst", "src", s3client.CopyOptions{SrcIfMatch: old})
	s.wantErr(err, s3client.ErrPrecondition)
	_, err = s.c.Head(s.ctx, "dst")
	s.wantErr(err, s3client.ErrNotFound)
	s.needConditions()
	dst := s.put("dst", "in the way", s3client.PutOptions{})
	_, err = s.c.Copy(s.ctx, "dst", "src", s3client.CopyOptions{IfNoneMatch: true})
	s.wantErr(err, s3client.ErrPrecondition)
	_, err = s.c.Copy(s.ctx, "dst", "src", s3client.CopyOptions{IfMatch: old})
	s.wantErr(err, s3client.ErrPrecondition)
	s.wantContent("dst", "in the way")
	if _, err = s.c.Copy(s.ctx, "dst", "src", s3client.CopyOptions{IfMatch: dst.ETag}); err != nil {
		s.Fatal(err)
	}
	s.wantContent("dst", "two")
}

func (s *suite) delete() {
	s.put("a", "x", s3client.PutOptions{})
	s.put("a/", "", s3client.PutOptions{})
	if err := s.c.Delete(s.ctx, "a"); err != nil {
		s.Fatal(err)
	}
	_, err := s.c.Head(s.ctx, "a")
	s.wantErr(err, s3client.ErrNotFound)
	s.head("a/")
	if err := s.c.Delete(s.ctx, "a"); err != nil {
		s.Errorf("deleting a missing key: %v", err)
	}
	if err := s.c.Delete(s.ctx); err != nil {
		s.Errorf("deleting nothing: %v", err)
	}
}

func (s *suite) deleteVersions() {
	if _, ok := s.c.(s3client.VersionDeleter); !ok || !s.caps.ConditionalPut {
		s.Skip("it removes without conditions")
	}
	wrong := s.put("other", "another", s3client.PutOptions{}).ETag
	var list []s3client.Version
	for i, etag := range []s3client.ETag{"", "right", wrong} {
		key := fmt.Sprintf("d/%d <&>", i)
		info := s.put(key, "x", s3client.PutOptions{})
		if etag == "right" {
			etag = info.ETag
		}
		list = append(list, s3client.Version{Key: key, ETag: etag})
	}
	list = append(list, s3client.Version{Key: "missing", ETag: wrong})
	err := s3client.DeleteVersions(s.ctx, s.c, list...)
	s.wantErr(err, s3client.ErrPrecondition)
	if left := s3client.NotRemoved(err, s3client.KeysOf(list)); len(left) != 1 || left[list[2].Key] == nil {
		s.Errorf("not removed are %v", left)
	}
	s.wantErr(s3client.DeleteVersions(s.ctx, s.c, list[2]), s3client.ErrPrecondition)
	s.head(list[2].Key)
	if err := s3client.DeleteVersions(s.ctx, s.c, list[3]); err != nil {
		s.Errorf("a missing key: %v", err)
	}
	if keys, _, _ := s.listAll(s3client.ListQuery{Prefix: "d/"}); len(keys) != 1 {
		s.Errorf("left are %q", keys)
	}
}

func (s *suite) deleteMany() {
	var keys []string
	for i := range 7 {
		key := fmt.Sprintf("d/%d <&> \"ü\"", i)
		s.put(key, "x", s3client.PutOptions{})
		keys = append(keys, key)
	}
	for i := range 1200 {
		keys = append(keys, fmt.Sprintf("missing-%d", i))
	}
	s.put("kept", "x", s3client.PutOptions{})
	if err := s.c.Delete(s.ctx, keys...); err != nil {
		s.Fatal(err)
	}
	if left, _, _ := s.listAll(s3client.ListQuery{}); len(left) != 1 || left[0] != "kept" {
		s.Errorf("left are %q", left)
	}
}
