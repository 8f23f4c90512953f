package clienttest

import (
	"errors"
	"maps"
	"strings"
	"sync"

	"pail/s3client"
)

func (s *suite) newUpload(key string, opt s3client.PutOptions) s3client.Upload {
	s.Helper()
	u, err := s.c.NewUpload(s.ctx, key, opt)
	if err != nil {
		s.Fatalf("NewUpload %q: %v", key, err)
	}
	if u.ID() == "" {
		s.Fatal("the upload has no ID")
	}
	return u
}

func (s *suite) part(u s3client.Upload, n int, content string) s3client.Part {
	s.Helper()
	p, err := u.Part(s.ctx, n, strings.NewReader(content))
	if err != nil {
		s.Fatalf("Part %d: %v", n, err)
	}
	if p.N != n || p.Size != int64(len(content)) || p.ETag == "" {
		s.Errorf("Part %d returned %+v", n, p)
	}
	return p
}

func (s *suite) complete(u s3client.Upload, parts ...s3client.Part) s3client.ObjectInfo {
	s.Helper()
	info, err := u.Complete(s.ctx, parts, nil)
	if err != nil {
		s.Fatalf("Complete: %v", err)
	}
	return info
}

func (s *suite) multipart() {
	opt := s3client.PutOptions{Meta: s3client.Meta{"mode": "33188"}, System: s3client.System{ContentType: "text/plain"}}
	key := "dir/big é+"
	u := s.newUpload(key, opt)
	contents := []string{pattern(s3client.MinPartSize, 1), pattern(s3client.MinPartSize+3, 2), "tail"}
	parts := make([]s3client.Part, len(contents))
	var wg sync.WaitGroup
	for i := range contents {
		wg.Go(func() {
			p, err := u.Part(s.ctx, i+1, strings.NewReader(contents[i]))
			if err != nil {
				s.Errorf("Part %d: %v", i+1, err)
			}
			parts[i] = p
		})
	}
	wg.Wait()
	_, err := s.c.Head(s.ctx, key)
	s.wantErr(err, s3client.ErrNotFound)
	info := s.complete(u, parts...)
	if !strings.HasSuffix(string(info.ETag), "-3") || info.Key != key {
		s.Errorf("Complete returned %+v", info)
	}
	s.wantContent(key, strings.Join(contents, ""))
	got := s.head(key)
	if !maps.Equal(got.Meta, opt.Meta) || got.System.ContentType != "text/plain" || got.ETag != info.ETag || got.Size != 2*s3client.MinPartSize+7 {
		s.Errorf("Head returned %+v, Complete %+v", got, info)
	}
	_, data := s.get(key, s3client.GetOptions{Range: s3client.Range{Off: s3client.MinPartSize - 5, Len: 10}, IfMatch: info.ETag})
	if data != strings.Join(contents, "")[s3client.MinPartSize-5:][:10] {
		s.Errorf("a range across parts read %s", brief(data))
	}
}

func (s *suite) partSentAgain() {
	u := s.newUpload("k", s3client.PutOptions{})
	old := s.part(u, 1, "old")
	now := s.part(u, 1, "now")
	if old.ETag == now.ETag {
		s.Error("another content has the same ETag")
	}
	s.complete(u, now)
	s.wantContent("k", "now")
}

func (s *suite) copyPart() {
	content := pattern(s3client.MinPartSize+100, 3)
	src := s.put("src +é", content, s3client.PutOptions{})
	u := s.newUpload("dst", s3client.PutOptions{})
	first, err := u.CopyPart(s.ctx, 1, "src +é", s3client.Range{Off: 50, Len: s3client.MinPartSize}, src.ETag)
	if err != nil {
		s.Fatal(err)
	}
	if first.N != 1 || first.Size != s3client.MinPartSize || first.ETag == "" {
		s.Errorf("CopyPart returned %+v", first)
	}
	_, err = u.CopyPart(s.ctx, 2, "src +é", s3client.Range{Off: 0, Len: 5}, "0123456789abcdef0123456789abcdef")
	s.wantErr(err, s3client.ErrPrecondition)
	_, err = u.CopyPart(s.ctx, 2, "missing", s3client.Range{Off: 0, Len: 5}, "")
	s.wantErr(err, s3client.ErrNotFound)
	s.complete(u, first, s.part(u, 2, "tail"))
	s.wantContent("dst", content[50:50+s3client.MinPartSize]+"tail")
}

// copyPartOfEscape copies from a key that looks escaped, which a service may not be able to.
func (s *suite) copyPartOfEscape() {
	content := pattern(s3client.MinPartSize+100, 3)
	src := s.put("100%41", content, s3client.PutOptions{})
	s.put("100A", pattern(s3client.MinPartSize+100, 4), s3client.PutOptions{})
	u := s.newUpload("dst", s3client.PutOptions{})
	part, err := u.CopyPart(s.ctx, 1, "100%41", s3client.Range{Len: src.Size}, src.ETag)
	if errors.Is(err, s3client.ErrUnsupported) {
		return
	}
	if err != nil {
		s.Fatal(err)
	}
	s.complete(u, part)
	s.wantContent("dst", content)
}

func (s *suite) resume() {
	u := s.newUpload("k", s3client.PutOptions{Meta: s3client.Meta{"mode": "33188"}})
	first := s.part(u, 1, pattern(s3client.MinPartSize, 4))
	again, err := s.c.ResumeUpload(s.ctx, "k", u.ID(), s3client.PutOptions{})
	if err != nil {
		s.Fatal(err)
	}
	if again.ID() != u.ID() {
		s.Errorf("ID is %q, was %q", again.ID(), u.ID())
	}
	s.complete(again, first, s.part(again, 2, "tail"))
	s.wantContent("k", pattern(s3client.MinPartSize, 4)+"tail")
	if got := s.head("k").Meta["mode"]; got != "33188" {
		s.Errorf("mode is %q", got)
	}
}

func (s *suite) completeMetadata() {
	if !s.caps.CompleteMetadata {
		s.Skip("the service takes no metadata with a completion")
	}
	u := s.newUpload("k", s3client.PutOptions{Meta: s3client.Meta{"old": "1"}, System: s3client.System{ContentType: "text/old", CacheControl: "old"}, IfNoneMatch: true})
	p := s.part(u, 1, "x")
	there := s.put("k", "in the way", s3client.PutOptions{})
	as := s3client.PutOptions{Meta: s3client.Meta{"new": "2"}, System: s3client.System{ContentType: "text/new"}, IfMatch: there.ETag}
	if _, err := u.Complete(s.ctx, []s3client.Part{p}, &as); err != nil {
		s.Fatal(err)
	}
	got := s.head("k")
	if !maps.Equal(got.Meta, as.Meta) || got.System != as.System {
		s.Errorf("Head returned %+v", got)
	}
	u = s.newUpload("k", s3client.PutOptions{})
	p = s.part(u, 1, "late")
	_, err := u.Complete(s.ctx, []s3client.Part{p}, &as)
	s.wantErr(err, s3client.ErrPrecondition)
	s.complete(u, p)
	if got = s.head("k"); len(got.Meta) > 0 {
		s.Errorf("without metadata, Head returned %+v", got)
	}
}

func (s *suite) abort() {
	u := s.newUpload("k", s3client.PutOptions{})
	p := s.part(u, 1, "x")
	if err := u.Abort(s.ctx); err != nil {
		s.Fatal(err)
	}
	if err := u.Abort(s.ctx); err != nil {
		s.Errorf("aborting again: %v", err)
	}
	_, err := u.Part(s.ctx, 2, strings.NewReader("y"))
	s.wantErr(err, s3client.ErrNotFound)
	_, err = u.Complete(s.ctx, []s3client.Part{p}, nil)
	s.wantErr(err, s3client.ErrNotFound)
	_, err = s.c.Head(s.ctx, "k")
	s.wantErr(err, s3client.ErrNotFound)
}

func (s *suite) completeRefusals() {
	u := s.newUpload("k", s3client.PutOptions{})
	one, two := s.part(u, 1, "too small for a first part"), s.part(u, 2, "y")
	forged := two
	forged.ETag = "0123456789abcdef0123456789abcdef"
	for name, parts := range map[string][]s3client.Part{
		"a small first part": {one, two}, "a wrong order": {two, one}, "a forged ETag": {forged}, "an unknown part": {{N: 9, ETag: two.ETag}}, "no parts": {},
	} {
		if _, err := u.Complete(s.ctx, parts, nil); err == nil {
			s.Fatalf("Complete took %s", name)
		} else {
			s.wantErr(err, s3client.ErrInvalid)
		}
	}
	s.complete(u, two)
	s.wantContent("k", "y")
}

func (s *suite) completeConditions() {
	s.needConditions()
	old := s.put("k", "in the way", s3client.PutOptions{}).ETag
	u := s.newUpload("k", s3client.PutOptions{IfNoneMatch: true})
	p := s.part(u, 1, "x")
	_, err := u.Complete(s.ctx, []s3client.Part{p}, nil)
	s.wantErr(err, s3client.ErrPrecondition)
	s.wantContent("k", "in the way")

	u = s.newUpload("k", s3client.PutOptions{IfMatch: old})
	s.complete(u, s.part(u, 1, "replaced"))
	s.wantContent("k", "replaced")

	u = s.newUpload("k", s3client.PutOptions{IfMatch: old})
	p = s.part(u, 1, "late")
	_, err = u.Complete(s.ctx, []s3client.Part{p}, nil)
	s.wantErr(err, s3client.ErrPrecondition)
	s.wantContent("k", "replaced")
}
