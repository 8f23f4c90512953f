package clienttest

import (
	"slices"

	"pail/s3client"
)

func (s *suite) deleteDirectory() {
	if !s.caps.DeleteDirectory {
		s.Skip("the service has no DeleteDirectory")
	}
	for _, key := range []string{"a", "a b/", "a b/ü +%", "a b0", "full/", "sub/x/"} {
		s.put(key, "", s3client.PutOptions{})
	}
	s.put("full/", "a file", s3client.PutOptions{})
	for key, want := range map[string]error{
		"a b/": s3client.ErrNotEmpty, "full/": s3client.ErrNotEmpty, "sub/": s3client.ErrNotEmpty, "none/": s3client.ErrNotFound, "a/": s3client.ErrNotFound,
		"a": s3client.ErrInvalid,
	} {
		s.wantErr(s.c.DeleteDirectory(s.ctx, key), want)
	}
	if err := s.c.Delete(s.ctx, "a b/ü +%"); err != nil {
		s.Fatal(err)
	}
	for _, key := range []string{"a b/", "sub/x/"} {
		if err := s.c.DeleteDirectory(s.ctx, key); err != nil {
			s.Errorf("%s: %v", key, err)
		}
	}
	keys, _, _ := s.listAll(s3client.ListQuery{})
	if want := []string{"a", "a b0", "full/"}; !slices.Equal(keys, want) {
		s.Errorf("keys are %q, want %q", keys, want)
	}
}
