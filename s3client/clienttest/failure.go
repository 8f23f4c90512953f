package clienttest

import (
	"context"
	"errors"
	"strings"

	"pail/s3client"
)

func (s *suite) cancelled() {
	u := s.newUpload("k", s3client.PutOptions{})
	s.put("k", "x", s3client.PutOptions{})
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	calls := map[string]func() error{
		"Probe": func() error { _, err := s.c.Probe(ctx); return err },
		"Head":  func() error { _, err := s.c.Head(ctx, "k"); return err },
		"Get":   func() error { _, err := s.c.Get(ctx, "k", s3client.GetOptions{}); return err },
		"Put":   func() error { _, err := s.c.Put(ctx, "k", strings.NewReader("y"), s3client.PutOptions{}); return err },
		"Patch": func() error {
			_, err := s.c.Patch(ctx, "k", strings.NewReader("y"), s3client.PatchOptions{PutOptions: s3client.PutOptions{IfMatch: "x"}, Size: 1})
			return err
		},
		"Copy":      func() error { _, err := s.c.Copy(ctx, "l", "k", s3client.CopyOptions{}); return err },
		"Delete":    func() error { return s.c.Delete(ctx, "k") },
		"DeleteDir": func() error { return s.c.DeleteDirectory(ctx, "k/") },
		"List":      func() error { _, err := s.c.List(ctx, s3client.ListQuery{}); return err },
		"NewUpload": func() error { _, err := s.c.NewUpload(ctx, "k", s3client.PutOptions{}); return err },
		"Part":      func() error { _, err := u.Part(ctx, 1, strings.NewReader("y")); return err },
		"Complete":  func() error { _, err := u.Complete(ctx, []s3client.Part{{N: 1, ETag: "x"}}, nil); return err },
		"Abort":     func() error { return u.Abort(ctx) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			s.Errorf("%s: error is %v, want context.Canceled", name, err)
		}
	}
	s.wantContent("k", "x")
}

func (s *suite) errorNames() {
	_, err := s.c.Get(s.ctx, "some/key", s3client.GetOptions{})
	var e *s3client.Error
	if !errors.As(err, &e) {
		s.Fatalf("error is %T", err)
	}
	if e.Op != s3client.OpGet || e.Bucket != s.c.Bucket() || e.Key != "some/key" || e.Status != 404 {
		s.Errorf("error is %#v", e)
	}
}
