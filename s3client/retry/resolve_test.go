package retry

import (
	"errors"
	"io"
	"strings"
	"testing"

	"pail/s3client"
	"pail/s3client/faultclient"
)

// meta is what the filesystem sends: times that no other write repeats.
func meta(n string) s3client.Meta {
	return s3client.Meta{"mode": "33188", "mtime": "1700000000.00000000" + n, "ctime": "1700000000.00000000" + n}
}

func lose(faults *faultclient.Client, op string) {
	faults.Add(faultclient.Fault{Op: op, Do: faultclient.Lose(nil)})
}

func TestLostAnswerToAPut(t *testing.T) {
	tests := []struct {
		name string
		opt  func(old s3client.ETag) s3client.PutOptions
		ours bool
	}{
		{"creation", func(s3client.ETag) s3client.PutOptions {
			return s3client.PutOptions{IfNoneMatch: true, Meta: meta("1")}
		}, true},
		{"creation without metadata", func(s3client.ETag) s3client.PutOptions { return s3client.PutOptions{IfNoneMatch: true} }, false},
		{"replacement", func(old s3client.ETag) s3client.PutOptions { return s3client.PutOptions{IfMatch: old, Meta: meta("1")} }, true},
		{"replacement without metadata", func(old s3client.ETag) s3client.PutOptions { return s3client.PutOptions{IfMatch: old} }, true},
		{"unconditional", func(s3client.ETag) s3client.PutOptions { return s3client.PutOptions{} }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, faults, mem := newStack(Options{})
			var old s3client.ETag
			if strings.HasPrefix(test.name, "replacement") {
				info, err := mem.Put(t.Context(), "k", strings.NewReader("old"), s3client.PutOptions{})
				if err != nil {
					t.Fatal(err)
				}
				old = info.ETag
			}
			lose(faults, s3client.OpPut)
			info, err := c.Put(t.Context(), "k", strings.NewReader("content"), test.opt(old))
			if !test.ours {
				if !errors.Is(err, s3client.ErrPrecondition) {
					t.Errorf("error is %v", err)
				}
				return
			}
			if err != nil || info.Size != 7 || info.ETag != "9a0364b9e99bb480dd25e1f0284c8555" {
				t.Errorf("Put returned %+v, error %v", info, err)
			}
		})
	}
}

// The first attempt did not arrive, and another client came in between: that is a lost race, whatever the other one
// wrote.
func TestAnothersObjectIsNotOurs(t *testing.T) {
	for name, other := range map[string]struct {
		content string
		meta    s3client.Meta
	}{
		"other content":       {"CONTENT", meta("1")},
		"other length":        {"other", meta("1")},
		"same content, later": {"content", meta("2")},
		"nothing alike":       {"x", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, faults, mem := newStack(Options{})
			opt := s3client.PutOptions{IfNoneMatch: true, Meta: meta("1")}
			if name == "other content" {
				opt.Meta = s3client.Meta{"mtime": "1700000000"} // no fraction: the ETag decides
				other.meta = opt.Meta
			}
			// The rule runs before the service: the other client's write falls between the two attempts.
			faults.Add(faultclient.Fault{Op: s3client.OpPut, Do: faultclient.Fail(nil)})
			if _, err := mem.Another().Put(t.Context(), "k", strings.NewReader(other.content), s3client.PutOptions{Meta: other.meta}); err != nil {
				t.Fatal(err)
			}
			_, err := c.Put(t.Context(), "k", strings.NewReader("content"), opt)
			if !errors.Is(err, s3client.ErrPrecondition) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// A refusal at the first attempt, or after answers that were refusals too, is what it says.
func TestAnsweredAttemptsAreNotLookedInto(t *testing.T) {
	c, faults, mem := newStack(Options{})
	opt := s3client.PutOptions{IfNoneMatch: true, Meta: meta("1")}
	if _, err := c.Put(t.Context(), "k", strings.NewReader("content"), opt); err != nil {
		t.Fatal(err)
	}
	faults.Add(faultclient.Fault{Op: s3client.OpPut, Do: faultclient.Fail(s3client.ErrThrottled)})
	if _, err := c.Put(t.Context(), "k", strings.NewReader("content"), opt); !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("error is %v", err)
	}
	if n := mem.Counts()[s3client.OpHead]; n != 0 {
		t.Errorf("%d Heads were made", n)
	}
}

func TestLostAnswerToAComplete(t *testing.T) {
	for name, opt := range map[string]s3client.PutOptions{"with metadata": {Meta: meta("1")}, "conditional": {IfNoneMatch: true, Meta: meta("1")}, "bare": {}} {
		t.Run(name, func(t *testing.T) {
			c, faults, mem := newStack(Options{})
			u, err := c.NewUpload(t.Context(), "k", opt)
			if err != nil {
				t.Fatal(err)
			}
			p, err := u.Part(t.Context(), 1, strings.NewReader("content"))
			if err != nil {
				t.Fatal(err)
			}
			lose(faults, s3client.OpComplete)
			info, err := u.Complete(t.Context(), []s3client.Part{p}, nil)
			if err != nil || info.Size != 7 || !strings.HasSuffix(string(info.ETag), "-1") {
				t.Errorf("Complete returned %+v, error %v", info, err)
			}
			// Another object in its place is not ours.
			if _, err := mem.Put(t.Context(), "k", strings.NewReader("content"), s3client.PutOptions{Meta: opt.Meta}); err != nil {
				t.Fatal(err)
			}
			faults.Add(faultclient.Fault{Op: s3client.OpComplete, Do: faultclient.Fail(nil)})
			if _, err := u.Complete(t.Context(), []s3client.Part{p}, nil); !errors.Is(err, s3client.ErrNotFound) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// What the completion says of the object is what it is known by, not what the upload was begun with.
func TestLostAnswerToACompleteWithMetadata(t *testing.T) {
	c, faults, _ := newStack(Options{})
	u, err := c.NewUpload(t.Context(), "k", s3client.PutOptions{Meta: meta("1")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := u.Part(t.Context(), 1, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	lose(faults, s3client.OpComplete)
	info, err := u.Complete(t.Context(), []s3client.Part{p}, &s3client.PutOptions{Meta: meta("2"), IfNoneMatch: true})
	if err != nil || info.Meta["ctime"] != meta("2")["ctime"] {
		t.Errorf("Complete returned %+v, error %v", info, err)
	}
}

// A patch that was done is known by its ETag, which tells what was put where into what, or by the time in its metadata.
func TestLostAnswerToAPatch(t *testing.T) {
	for name, meta := range map[string]s3client.Meta{"with metadata": meta("1"), "bare": nil} {
		t.Run(name, func(t *testing.T) {
			c, faults, mem := newStack(Options{})
			old, err := mem.Put(t.Context(), "k", strings.NewReader("0123456789"), s3client.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			opt := s3client.PatchOptions{Ranges: []s3client.Range{{Off: 3, Len: 2}}, Size: 10, PutOptions: s3client.PutOptions{IfMatch: old.ETag, Meta: meta}}
			lose(faults, s3client.OpPatch)
			body := strings.NewReader("__xy")
			if _, err := body.Seek(2, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			info, err := c.Patch(t.Context(), "k", body, opt)
			if err != nil || info.Size != 10 || info.ETag == old.ETag {
				t.Errorf("Patch returned %+v, error %v", info, err)
			}
			// What another client has put in its place is not ours, though it looks much the same.
			other := opt
			if other.IfMatch = info.ETag; meta != nil {
				other.Meta = s3client.Meta{"ctime": "1700000000.123456789"}
			}
			if _, err := mem.Patch(t.Context(), "k", strings.NewReader("zz"), other); err != nil {
				t.Fatal(err)
			}
			faults.Add(faultclient.Fault{Op: s3client.OpPatch, Do: faultclient.Fail(nil)})
			if _, err := c.Patch(t.Context(), "k", strings.NewReader("xy"), opt); !errors.Is(err, s3client.ErrPrecondition) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// A directory that is gone after an attempt without an answer was removed by that; one that never was is not found, and what
// another client has put into it meanwhile is told.
func TestLostAnswerToTheDeletionOfADirectory(t *testing.T) {
	c, faults, mem := newStack(Options{})
	put := func(key string) {
		if _, err := mem.Put(t.Context(), key, nil, s3client.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("d/")
	lose(faults, s3client.OpDeleteDir)
	if err := c.DeleteDirectory(t.Context(), "d/"); err != nil || len(mem.Keys()) > 0 {
		t.Errorf("error is %v, left is %q", err, mem.Keys())
	}
	if err := c.DeleteDirectory(t.Context(), "d/"); !errors.Is(err, s3client.ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
	put("d/")
	put("d/x")
	faults.Add(faultclient.Fault{Op: s3client.OpDeleteDir, Times: 1, Do: faultclient.Fail(nil)})
	if err := c.DeleteDirectory(t.Context(), "d/"); !errors.Is(err, s3client.ErrNotEmpty) {
		t.Errorf("not empty: %v", err)
	}
	if n := mem.Counts()[s3client.OpDeleteDir]; n != 4 {
		t.Errorf("%d requests: what is not empty is not asked for again and again", n)
	}
}

func TestLostAnswerToACopy(t *testing.T) {
	c, faults, mem := newStack(Options{})
	src, err := mem.Put(t.Context(), "k", strings.NewReader("content"), s3client.PutOptions{Meta: meta("1")})
	if err != nil {
		t.Fatal(err)
	}
	lose(faults, s3client.OpCopy)
	if _, err := c.Copy(t.Context(), "dst", "k", s3client.CopyOptions{SrcIfMatch: src.ETag, IfNoneMatch: true}); err != nil {
		t.Errorf("to another key: %v", err)
	}
	faults.Clear()
	faults.Add(faultclient.Fault{Op: s3client.OpCopy, Do: faultclient.Fail(nil)})
	opt := s3client.CopyOptions{Replace: true, Meta: meta("2"), IfNoneMatch: true}
	if _, err := c.Copy(t.Context(), "dst", "k", opt); !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("error is %v", err)
	}
}

// A copy of a multipart object onto itself gets another ETag, so that its repetition is refused.
func TestLostAnswerToAChangeOfMetadata(t *testing.T) {
	c, faults, mem := newStack(Options{})
	u, err := mem.NewUpload(t.Context(), "k", s3client.PutOptions{Meta: meta("1")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := u.Part(t.Context(), 1, strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := u.Complete(t.Context(), []s3client.Part{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	lose(faults, s3client.OpCopy)
	info, err := c.Copy(t.Context(), "k", "k", s3client.CopyOptions{Replace: true, Meta: meta("2"), SrcIfMatch: old.ETag})
	if err != nil || info.Meta["ctime"] != meta("2")["ctime"] {
		t.Errorf("Copy returned %+v, error %v", info, err)
	}
}

func TestLostAnswerToARename(t *testing.T) {
	c, faults, mem := newStack(Options{})
	put := func(key string) s3client.ETag {
		info, err := mem.Put(t.Context(), key, strings.NewReader("content of "+key), s3client.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return info.ETag
	}
	etag := put("src")
	lose(faults, s3client.OpRename)
	if err := c.Rename(t.Context(), "dst", "src", s3client.RenameOptions{SrcIfMatch: etag, IfNoneMatch: true}); err != nil {
		t.Errorf("rename: %v", err)
	}
	put("a/x")
	put("a/y")
	faults.Clear()
	lose(faults, s3client.OpRename)
	if err := c.Rename(t.Context(), "b/", "a/", s3client.RenameOptions{}); err != nil {
		t.Errorf("rename of a prefix: %v", err)
	}
	faults.Clear()
	faults.Add(faultclient.Fault{Op: s3client.OpRename, Do: faultclient.Fail(nil)})
	if err := c.Rename(t.Context(), "dst", "missing", s3client.RenameOptions{SrcIfMatch: "another"}); !errors.Is(err, s3client.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	put("src")
	if err := c.Rename(t.Context(), "dst", "src", s3client.RenameOptions{IfNoneMatch: true}); !errors.Is(err, s3client.ErrPrecondition) {
		t.Errorf("error is %v", err)
	}
}
