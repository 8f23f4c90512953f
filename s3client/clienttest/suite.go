// Package clienttest is the contract of s3client.Client as a test suite. Every implementation and every decorator runs
// it: memclient, so that the fake is no kinder than a service; awss3 against a server; retry, limit and faultclient,
// so that a decorator changes nothing but what it is for.
//
// What services may differ in (Capabilities) is tested where Probe says it is there.
package clienttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pail/s3client"
)

// Run holds the clients that open returns to the contract. open is called once for each subtest and returns a client
// of an empty bucket; it cleans up with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) s3client.Client) {
	tests := []struct {
		name string
		run  func(*suite)
	}{
		{"Probe", (*suite).probe},
		{"PutGetHead", (*suite).putGetHead},
		{"EmptyObject", (*suite).emptyObject},
		{"PutReadsFromCurrentPosition", (*suite).putFromPosition},
		{"Overwrite", (*suite).overwrite},
		{"MetaIsKept", (*suite).metaIsKept},
		{"SystemHeadersAreKept", (*suite).systemIsKept},
		{"BadMetaIsRefused", (*suite).badMeta},
		{"NotFound", (*suite).notFound},
		{"Range", (*suite).ranges},
		{"GetIfMatch", (*suite).getIfMatch},
		{"PutIfMatch", (*suite).putIfMatch},
		{"PutIfNoneMatch", (*suite).putIfNoneMatch},
		{"Patch", (*suite).patches},
		{"PatchRefusals", (*suite).patchRefusals},
		{"Copy", (*suite).copy},
		{"CopyOntoItself", (*suite).copyOntoItself},
		{"CopyConditions", (*suite).copyConditions},
		{"Rename", (*suite).rename},
		{"RenameConditions", (*suite).renameConditions},
		{"RenamePrefix", (*suite).renamePrefix},
		{"Delete", (*suite).delete},
		{"DeleteMany", (*suite).deleteMany},
		{"DeleteVersions", (*suite).deleteVersions},
		{"DeleteDirectory", (*suite).deleteDirectory},
		{"OddKeys", (*suite).oddKeys},
		{"LongKey", (*suite).longKey},
		{"ListPages", (*suite).listPages},
		{"ListDelimiter", (*suite).listDelimiter},
		{"ListDelimiterPages", (*suite).listDelimiterPages},
		{"ListStartAfter", (*suite).listStartAfter},
		{"ListNothing", (*suite).listNothing},
		{"ListAttributes", (*suite).listAttributes},
		{"ListMarkers", (*suite).listMarkers},
		{"Multipart", (*suite).multipart},
		{"MultipartPartSentAgain", (*suite).partSentAgain},
		{"MultipartCopyPart", (*suite).copyPart},
		{"MultipartCopyPartOfEscape", (*suite).copyPartOfEscape},
		{"MultipartResume", (*suite).resume},
		{"MultipartAbort", (*suite).abort},
		{"MultipartRefusals", (*suite).completeRefusals},
		{"MultipartConditions", (*suite).completeConditions},
		{"MultipartMetadata", (*suite).completeMetadata},
		{"UploadsList", (*suite).uploadsList},
		{"UploadsListPages", (*suite).uploadsListPages},
		{"CancelledContext", (*suite).cancelled},
		{"ErrorNamesTheOperation", (*suite).errorNames},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &suite{T: t, c: open(t), ctx: t.Context()}
			caps, err := s.c.Probe(s.ctx)
			if err != nil {
				t.Fatalf("Probe: %v", err)
			}
			s.caps = caps
			test.run(s)
		})
	}
}

// suite is one subtest and the helpers it uses.
type suite struct {
	*testing.T
	c    s3client.Client
	ctx  context.Context
	caps s3client.Capabilities
}

func (s *suite) probe() {
	if s.c.Bucket() == "" {
		s.Error("Bucket is empty")
	}
	page := s.list(s3client.ListQuery{})
	if len(page.Objects) != 0 {
		s.Errorf("Probe left %d objects", len(page.Objects))
	}
}

func (s *suite) put(key, content string, opt s3client.PutOptions) s3client.ObjectInfo {
	s.Helper()
	info, err := s.c.Put(s.ctx, key, strings.NewReader(content), opt)
	if err != nil {
		s.Fatalf("Put %q: %v", key, err)
	}
	return info
}

func (s *suite) head(key string) s3client.ObjectInfo {
	s.Helper()
	info, err := s.c.Head(s.ctx, key)
	if err != nil {
		s.Fatalf("Head %q: %v", key, err)
	}
	return info
}

func (s *suite) get(key string, opt s3client.GetOptions) (s3client.ObjectInfo, string) {
	s.Helper()
	o, err := s.c.Get(s.ctx, key, opt)
	if err != nil {
		s.Fatalf("Get %q: %v", key, err)
	}
	data, err := io.ReadAll(o.Body)
	if err != nil {
		s.Fatalf("reading %q: %v", key, err)
	}
	if err := o.Body.Close(); err != nil {
		s.Fatalf("closing %q: %v", key, err)
	}
	return o.Info, string(data)
}

func (s *suite) wantContent(key, want string) {
	s.Helper()
	if _, got := s.get(key, s3client.GetOptions{}); got != want {
		s.Errorf("%q holds %s, want %s", key, brief(got), brief(want))
	}
}

func (s *suite) wantErr(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("error is %v, want %v", err, want)
	}
	var typed *s3client.Error
	if err != nil && !errors.As(err, &typed) {
		s.Errorf("error %v is a %T, want *s3client.Error", err, err)
	}
}

func (s *suite) list(q s3client.ListQuery) s3client.ListPage {
	s.Helper()
	page, err := s.c.List(s.ctx, q)
	if err != nil {
		s.Fatalf("List %+v: %v", q, err)
	}
	return page
}

// listAll follows the tokens and returns keys and prefixes in the order they came.
func (s *suite) listAll(q s3client.ListQuery) (keys, prefixes []string, pages int) {
	s.Helper()
	for {
		page := s.list(q)
		pages++
		for _, o := range page.Objects {
			keys = append(keys, o.Key)
		}
		prefixes = append(prefixes, page.Prefixes...)
		if page.NextToken == "" {
			return keys, prefixes, pages
		}
		if pages > 100 {
			s.Fatal("the listing does not end")
		}
		q.Token = page.NextToken
	}
}

func brief(s string) string {
	if len(s) <= 64 {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q... (%d bytes)", s[:32], len(s))
}

// pattern returns n bytes in which every position can be told from its neighbours.
func pattern(n int, seed byte) string {
	b := bytes.Repeat([]byte{0}, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*17 ^ seed
	}
	return string(b)
}
