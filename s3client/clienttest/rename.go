package clienttest

import (
	"maps"
	"slices"

	"pail/s3client"
)

func (s *suite) needRename() {
	s.Helper()
	if !s.caps.RenameObject {
		s.Skip("the service has no RenameObject")
	}
}

func (s *suite) rename() {
	s.needRename()
	src := s.put("src +%41", "content", s3client.PutOptions{Meta: s3client.Meta{"mode": "33188"}})
	s.put("dst", "replaced", s3client.PutOptions{})
	if err := s.c.Rename(s.ctx, "dst", "src +%41", s3client.RenameOptions{SrcIfMatch: src.ETag}); err != nil {
		s.Fatal(err)
	}
	s.wantContent("dst", "content")
	if got := s.head("dst"); !maps.Equal(got.Meta, s3client.Meta{"mode": "33188"}) || got.ETag != src.ETag {
		s.Errorf("the renamed object is %+v, was %+v", got, src)
	}
	_, err := s.c.Head(s.ctx, "src +%41")
	s.wantErr(err, s3client.ErrNotFound)
}

func (s *suite) renameConditions() {
	s.needRename()
	s.wantErr(s.c.Rename(s.ctx, "dst", "missing", s3client.RenameOptions{}), s3client.ErrNotFound)
	old := s.put("src", "one", s3client.PutOptions{}).ETag
	s.put("src", "two", s3client.PutOptions{})
	s.wantErr(s.c.Rename(s.ctx, "dst", "src", s3client.RenameOptions{SrcIfMatch: old}), s3client.ErrPrecondition)
	s.put("dst", "in the way", s3client.PutOptions{})
	s.wantErr(s.c.Rename(s.ctx, "dst", "src", s3client.RenameOptions{IfNoneMatch: true}), s3client.ErrPrecondition)
	s.wantContent("src", "two")
	s.wantContent("dst", "in the way")
}

func (s *suite) renamePrefix() {
	s.needRename()
	if !s.caps.RenamePrefix {
		s.Skip("the service renames no prefixes")
	}
	for _, key := range []string{"a/", "a/b", "a/c/d", "a/ü +", "ab", "a"} {
		s.put(key, "content of "+key, s3client.PutOptions{})
	}
	if err := s.c.Rename(s.ctx, "x/y/", "a/", s3client.RenameOptions{IfNoneMatch: true}); err != nil {
		s.Fatal(err)
	}
	keys, _, _ := s.listAll(s3client.ListQuery{})
	if want := []string{"a", "ab", "x/y/", "x/y/b", "x/y/c/d", "x/y/ü +"}; !slices.Equal(keys, want) {
		s.Errorf("keys are %q, want %q", keys, want)
	}
	s.wantContent("x/y/c/d", "content of a/c/d")
	s.put("a/", "", s3client.PutOptions{})
	s.wantErr(s.c.Rename(s.ctx, "x/y/", "a/", s3client.RenameOptions{IfNoneMatch: true}), s3client.ErrPrecondition)
}
