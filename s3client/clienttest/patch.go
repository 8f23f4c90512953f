package clienttest

import (
	"maps"
	"strings"

	"pail/s3client"
)

func (s *suite) needPatch() {
	s.Helper()
	if !s.caps.Patch {
		s.Skip("the service has no Patch")
	}
}

// patch changes an object, which it must allow.
func (s *suite) patch(key, body string, opt s3client.PatchOptions) s3client.ObjectInfo {
	s.Helper()
	info, err := s.c.Patch(s.ctx, key, strings.NewReader(body), opt)
	if err != nil {
		s.Fatalf("Patch(%q): %v", key, err)
	}
	if info.Key != key || info.Size != opt.Size || info.ETag == "" {
		s.Errorf("Patch(%q) returned %+v", key, info)
	}
	return info
}

func (s *suite) patches() {
	s.needPatch()
	want := pattern(300_000, 1)
	info := s.put("k +%41", want, s3client.PutOptions{Meta: s3client.Meta{"old": "1"}})
	steps := []struct {
		ranges []s3client.Range
		body   string
		size   int64
	}{
		{[]s3client.Range{{Off: 1000, Len: 5}}, "12345", 300_000},
		{[]s3client.Range{{Off: 0, Len: 1}, {Off: 1, Len: 1}, {Off: 299_999, Len: 1}}, "abc", 300_000},
		{[]s3client.Range{{Off: 5, Len: 2}, {Off: 300_000, Len: 4}}, "XYtail", 300_004},
		{[]s3client.Range{{Off: 300_002, Len: 4}}, "more", 300_006},
		{nil, "", 200_000},
		{[]s3client.Range{{Off: 10, Len: 1}}, "z", 11},
		{nil, "", 0},
		{[]s3client.Range{{Off: 0, Len: 3}}, "new", 3},
	}
	for i, step := range steps {
		was := info.ETag
		opt := s3client.PatchOptions{Ranges: step.ranges, Size: step.size}
		opt.Meta, opt.IfMatch, opt.System.ContentType = s3client.Meta{"step": string(rune('a' + i))}, was, "text/x"
		info = s.patch("k +%41", step.body, opt)
		b, rest := []byte(want + strings.Repeat("\x00", int(max(0, step.size-int64(len(want))))))[:step.size], step.body
		for _, r := range step.ranges {
			rest = rest[copy(b[r.Off:r.Off+r.Len], rest):]
		}
		want = string(b)
		s.wantContent("k +%41", want)
		if got := s.head("k +%41"); got.ETag != info.ETag || got.ETag == was || !maps.Equal(got.Meta, opt.Meta) || got.System.ContentType != "text/x" {
			s.Errorf("step %d: %+v, Patch returned %+v", i, got, info)
		}
	}
}

func (s *suite) patchRefusals() {
	s.needPatch()
	old := s.put("k", "0123456789", s3client.PutOptions{})
	patch := func(key string, etag s3client.ETag, size int64, body string, ranges ...s3client.Range) error {
		opt := s3client.PatchOptions{Ranges: ranges, Size: size}
		opt.IfMatch = etag
		_, err := s.c.Patch(s.ctx, key, strings.NewReader(body), opt)
		return err
	}
	one := s3client.Range{Off: 3, Len: 1}
	s.wantErr(patch("missing", old.ETag, 10, "x", one), s3client.ErrNotFound)
	s.wantErr(patch("k", "another", 10, "x", one), s3client.ErrPrecondition)
	s.wantErr(patch("k", "", 10, "x", one), s3client.ErrInvalid)
	s.wantErr(patch("k", old.ETag, 10, "xy", one), s3client.ErrInvalid)
	s.wantErr(patch("k", old.ETag, 10, "", one), s3client.ErrInvalid)
	s.wantErr(patch("k", old.ETag, 12, "x", s3client.Range{Off: 11, Len: 1}), s3client.ErrRange)
	s.wantErr(patch("k", old.ETag, 11, ""), s3client.ErrRange)
	s.wantErr(patch("k", old.ETag, 3, "x", one), s3client.ErrRange)
	s.wantErr(patch("k", old.ETag, 10, "xx", one, one), s3client.ErrRange)
	s.wantErr(patch("k", old.ETag, 10, strings.Repeat("x", 300), make([]s3client.Range, 300)...), s3client.ErrInvalid)
	s.wantContent("k", "0123456789")
	s.patch("k", "x", s3client.PatchOptions{Ranges: []s3client.Range{one}, Size: 10, PutOptions: s3client.PutOptions{IfMatch: old.ETag}})
	s.wantErr(patch("k", old.ETag, 10, "y", one), s3client.ErrPrecondition)
	s.wantContent("k", "012x456789")
}
