package clienttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pail/s3client"
)

// oddNames are keys that break a client which escapes its path twice, once too little, or cleans it.
var oddNames = []string{
	"a b+c%/é\x01~*'()//./..", " leading", "trailing ", "per%20cent", "plus+", "a//b", "/lead", "//", "./a", "../a", "a/./b/../c",
	"?query=1&x", "#frag", "semi;colon:at@", "[brackets]{braces}", `back\slash"quote`, "<xml>&amp;'", "日本語/ファイル", "emoji-\U0001F600",
	"tab\there", "nl\nhere", "\x01\x1f\x7f", "%", "%zz", "~tilde^caret`tick|pipe", "=,$!", ".hidden", "trailing/",
}

func (s *suite) oddKeys() {
	want := slices.Sorted(slices.Values(oddNames))
	for _, key := range oddNames {
		s.put(key, "content of "+key, s3client.PutOptions{Meta: s3client.Meta{"k": "v"}})
	}
	for _, key := range oddNames {
		s.wantContent(key, "content of "+key)
		if got := s.head(key); got.Key != key || got.Meta["k"] != "v" {
			s.Errorf("Head %q returned %+v", key, got)
		}
	}
	if got, _, _ := s.listAll(s3client.ListQuery{MaxKeys: 5}); !slices.Equal(got, want) {
		s.Errorf("listed are %q\nwant       %q", got, want)
	}
	for _, key := range oddNames {
		if got, _, _ := s.listAll(s3client.ListQuery{Prefix: key}); !slices.Contains(got, key) {
			s.Errorf("prefix %q lists %q", key, got)
		}
		if _, err := s.c.Copy(s.ctx, "copy", key, s3client.CopyOptions{}); err != nil {
			s.Errorf("Copy from %q: %v", key, err)
			continue
		}
		s.wantContent("copy", "content of "+key)
	}
	if err := s.c.Delete(s.ctx, oddNames[0]); err != nil {
		s.Error(err)
	}
	if err := s.c.Delete(s.ctx, oddNames[1:]...); err != nil {
		s.Error(err)
	}
	if got, _, _ := s.listAll(s3client.ListQuery{}); !slices.Equal(got, []string{"copy"}) {
		s.Errorf("left are %q", got)
	}
}

func (s *suite) longKey() {
	key := strings.Repeat("k/%é", 204) // 1020 bytes
	s.put(key, "x", s3client.PutOptions{})
	s.wantContent(key, "x")
	_, err := s.c.Put(s.ctx, strings.Repeat("k", 1025), strings.NewReader("x"), s3client.PutOptions{})
	s.wantErr(err, s3client.ErrTooLarge)
}

func (s *suite) listPages() {
	var want []string
	for i := range 25 {
		key := fmt.Sprintf("p/%03d", i)
		want = append(want, key)
		s.put(key, "x", s3client.PutOptions{})
	}
	s.put("o", "before", s3client.PutOptions{})
	s.put("q", "behind", s3client.PutOptions{})
	for _, max := range []int{0, 1, 7, 25, 26} {
		got, _, pages := s.listAll(s3client.ListQuery{Prefix: "p/", MaxKeys: max})
		if !slices.Equal(got, want) {
			s.Errorf("MaxKeys %d lists %q", max, got)
		}
		if max > 0 && pages != (len(want)+max-1)/max {
			s.Errorf("MaxKeys %d made %d pages", max, pages)
		}
	}
}

func (s *suite) listDelimiter() {
	for _, key := range []string{"a", "a/", "a/1", "a/b/1", "a/b/2", "a-", "b/x", "c"} {
		s.put(key, "x", s3client.PutOptions{})
	}
	tests := []struct{ prefix, keys, prefixes string }{
		{"", "a a- c", "a/ b/"},
		{"a", "a a-", "a/"},
		{"a/", "a/ a/1", "a/b/"},
		{"a/b", "", "a/b/"},
		{"a/b/", "a/b/1 a/b/2", ""},
		{"b/x", "b/x", ""},
	}
	for _, test := range tests {
		keys, prefixes, _ := s.listAll(s3client.ListQuery{Prefix: test.prefix, Delimiter: "/"})
		if got := strings.Join(keys, " "); got != test.keys {
			s.Errorf("prefix %q: keys are %q, want %q", test.prefix, got, test.keys)
		}
		if got := strings.Join(prefixes, " "); got != test.prefixes {
			s.Errorf("prefix %q: prefixes are %q, want %q", test.prefix, got, test.prefixes)
		}
	}
}

func (s *suite) listDelimiterPages() {
	var wantKeys, wantPrefixes []string
	for i := range 6 {
		dir, file := fmt.Sprintf("d%d é/", i), fmt.Sprintf("d%d +f", i)
		wantPrefixes, wantKeys = append(wantPrefixes, dir), append(wantKeys, file)
		for _, key := range []string{dir, dir + "x", dir + "y", file} {
			s.put(key, "x", s3client.PutOptions{})
		}
	}
	for max := 1; max <= 13; max++ {
		keys, prefixes, _ := s.listAll(s3client.ListQuery{Delimiter: "/", MaxKeys: max})
		if !slices.Equal(keys, wantKeys) || !slices.Equal(prefixes, wantPrefixes) {
			s.Errorf("MaxKeys %d lists %q and %q", max, keys, prefixes)
		}
	}
}

func (s *suite) listStartAfter() {
	for _, key := range []string{"a", "b", "b +", "c/1", "c/2", "d"} {
		s.put(key, "x", s3client.PutOptions{})
	}
	tests := []struct{ after, want string }{
		{"", "a|b|b +|c/1|c/2|d"}, {"a", "b|b +|c/1|c/2|d"}, {"b", "b +|c/1|c/2|d"}, {"b +", "c/1|c/2|d"}, {"bb", "c/1|c/2|d"}, {"c/1", "c/2|d"}, {"d", ""},
	}
	for _, test := range tests {
		keys, _, _ := s.listAll(s3client.ListQuery{StartAfter: test.after, MaxKeys: 2})
		if got := strings.Join(keys, "|"); got != test.want {
			s.Errorf("after %q: keys are %q, want %q", test.after, got, test.want)
		}
	}
	if keys, _, _ := s.listAll(s3client.ListQuery{Prefix: "c/", StartAfter: "c/1"}); !slices.Equal(keys, []string{"c/2"}) {
		s.Errorf("prefix with StartAfter lists %q", keys)
	}
}

func (s *suite) listNothing() {
	s.put("a", "x", s3client.PutOptions{})
	page := s.list(s3client.ListQuery{Prefix: "b", Delimiter: "/"})
	if len(page.Objects) != 0 || len(page.Prefixes) != 0 || page.NextToken != "" {
		s.Errorf("page is %+v", page)
	}
}

// listMarkers: a service may tell what is under a common prefix itself.
func (s *suite) listMarkers() {
	if !s.caps.ListMetadata {
		return
	}
	meta := s3client.Meta{"mode": "16877"}
	s.put("a/", "", s3client.PutOptions{Meta: meta})
	s.put("a/x", "x", s3client.PutOptions{})
	s.put("b/x", "x", s3client.PutOptions{})
	page := s.list(s3client.ListQuery{Delimiter: "/", WithMeta: true})
	if !slices.Equal(page.Prefixes, []string{"a/", "b/"}) {
		s.Fatalf("page is %+v", page)
	}
	m := page.Markers
	if m != nil && (len(m) != 2 || m[0].Key != "a/" || !maps.Equal(m[0].Meta, meta) || m[0].ETag == "" || m[1].Key != "") {
		s.Errorf("markers are %+v", m)
	}
}

func (s *suite) listAttributes() {
	meta := s3client.Meta{"mode": "33188", "x": "a<&>b"}
	s.put("k", "12345", s3client.PutOptions{Meta: meta})
	head := s.head("k")
	for _, withMeta := range []bool{false, s.caps.ListMetadata} {
		page := s.list(s3client.ListQuery{WithMeta: withMeta})
		if len(page.Objects) != 1 {
			s.Fatalf("page is %+v", page)
		}
		got := page.Objects[0]
		if got.Key != "k" || got.Size != 5 || got.ETag != head.ETag {
			s.Errorf("listed is %+v, Head says %+v", got, head)
		}
		if d := got.LastModified.Sub(head.LastModified).Abs().Seconds(); d >= 1 {
			s.Errorf("LastModified is %v in the listing, %v by Head", got.LastModified, head.LastModified)
		}
		if withMeta && !maps.Equal(got.Meta, meta) {
			s.Errorf("listed Meta is %v", got.Meta)
		}
	}
}
