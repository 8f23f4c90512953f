package lease

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pail/s3client"
	"pail/s3client/clienttest"
	"pail/s3client/faultclient"
	"pail/s3client/memclient"
)

// changes are the methods of a client and of its uploads that change what is under a key: each changes something in d/, and
// those that change two keys in e/ too.
var changes = map[string]struct {
	do  func(*Client) error
	two bool
}{
	"Client.Put": {do: func(c *Client) error {
		_, err := c.Put(ctx, "d/f", strings.NewReader(""), s3client.PutOptions{})
		return err
	}},
	"Client.Patch": {do: func(c *Client) error {
		_, err := c.Patch(ctx, "d/f", strings.NewReader(""), s3client.PatchOptions{})
		return err
	}},
	"Client.Copy": {do: func(c *Client) error {
		_, err := c.Copy(ctx, "d/f", "e/f", s3client.CopyOptions{})
		return err
	}},
	"Client.Rename":          {two: true, do: func(c *Client) error { return c.Rename(ctx, "d/f", "e/f", s3client.RenameOptions{}) }},
	"Client.Delete":          {two: true, do: func(c *Client) error { return c.Delete(ctx, "d/f", "e/f") }},
	"Client.DeleteDirectory": {do: func(c *Client) error { return c.DeleteDirectory(ctx, "d/f/") }},
	"VersionDeleter.DeleteVersions": {two: true, do: func(c *Client) error {
		return c.DeleteVersions(ctx, s3client.Version{Key: "d/f", ETag: "x"}, s3client.Version{Key: "e/f"})
	}},
	"Upload.Complete": {do: func(c *Client) error {
		u, err := c.ResumeUpload(ctx, "d/f", "id", s3client.PutOptions{})
		if err != nil {
			return err
		}
		_, err = u.Complete(ctx, []s3client.Part{{N: 1}}, nil)
		return err
	}},
}

// others are the methods that change nothing that a lease is about.
var others = map[string]func(*Client) error{
	"Client.Bucket": func(c *Client) error { c.Bucket(); return nil },
	"Client.Probe":  func(c *Client) error { _, err := c.Probe(ctx); return err },
	"Client.Head":   func(c *Client) error { _, err := c.Head(ctx, "d/f"); return err },
	"Client.Get":    func(c *Client) error { _, err := c.Get(ctx, "d/f", s3client.GetOptions{}); return err },
	"Client.List":   func(c *Client) error { _, err := c.List(ctx, s3client.ListQuery{Prefix: "d/"}); return err },
	"Client.NewUpload": func(c *Client) error {
		_, err := c.NewUpload(ctx, "d/f", s3client.PutOptions{})
		return err
	},
	"Client.ResumeUpload": func(c *Client) error {
		_, err := c.ResumeUpload(ctx, "d/f", "id", s3client.PutOptions{})
		return err
	},
	"UploadLister.ListUploads": func(c *Client) error { _, err := c.ListUploads(ctx, s3client.UploadsQuery{}); return err },
	"Leaser.JoinLeases":        func(c *Client) error { _, err := c.JoinLeases(ctx); return err },
	"Upload.ID":                resumed(func(u s3client.Upload) error { u.ID(); return nil }),
	"Upload.Part":              resumed(func(u s3client.Upload) error { _, err := u.Part(ctx, 1, strings.NewReader("")); return err }),
	"Upload.CopyPart": resumed(func(u s3client.Upload) error {
		_, err := u.CopyPart(ctx, 1, "d/f", s3client.Range{Len: 1}, "x")
		return err
	}),
	"Upload.Abort": resumed(func(u s3client.Upload) error { return u.Abort(ctx) }),
}

func resumed(do func(s3client.Upload) error) func(*Client) error {
	return func(c *Client) error {
		u, err := c.ResumeUpload(ctx, "d/f", "id", s3client.PutOptions{})
		if err != nil {
			return err
		}
		return do(u)
	}
}

// interfaces are those of package s3client that requests are made with, but for a stream of leases, which changes no keys.
var interfaces = []reflect.Type{
	reflect.TypeFor[s3client.Client](), reflect.TypeFor[s3client.Upload](), reflect.TypeFor[s3client.VersionDeleter](),
	reflect.TypeFor[s3client.UploadLister](), reflect.TypeFor[s3client.Leaser](),
}

// Each method that a client may have is known here for a change or for none: a new one fails this until it is.
func TestEachMethodIsAChangeOrNone(t *testing.T) {
	known := map[string]bool{"LeaseStream": true, "Summed": true, "CredentialsProvider": true, "CredentialsRefuser": true} // no requests about keys
	for _, i := range interfaces {
		known[i.Name()] = true
		for m := range i.NumMethod() {
			name := i.Name() + "." + i.Method(m).Name
			_, change := changes[name]
			if _, other := others[name]; change == other {
				t.Errorf("%s: a change: %v, none: %v", name, change, other)
			}
		}
	}
	files, err := filepath.Glob("../../s3client/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of package s3client, %v", len(files), err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if _, ok := spec.Type.(*ast.InterfaceType); ok && !known[spec.Name.Name] {
					t.Errorf("are there changes among the methods of %s?", spec.Name.Name)
				}
			}
			return true
		})
	}
}

// newReads returns a keeper with leases for reads.
func newReads(t *testing.T, prefixes ...string) *Keeper {
	t.Helper()
	s, k := newService(t)
	s.reads = true
	for _, prefix := range prefixes {
		if asks(k, prefix); !reads(k, prefix) {
			t.Fatalf("no lease on %s", prefix)
		}
	}
	return k
}

// leased returns a client under leases for reads on d/, e/ and x/, whose requests all have one outcome.
func leased(t *testing.T, outcome error) (*Client, *Keeper) {
	t.Helper()
	k := newReads(t, "d/", "e/", "x/")
	line := faultclient.New(memclient.New(memclient.Options{Capabilities: memclient.Full()}))
	line.Add(faultclient.Fault{Times: -1, Do: faultclient.Fail(outcome)})
	return k.Client(line), k
}

func reads(k *Keeper, prefix string) bool {
	_, done, ok := k.UseReads(prefix)
	if ok {
		done()
	}
	return ok
}

// A change without an answer has ended the leases that it falls under when its caller hears of that, and they are not asked
// for again; no others are.
func TestUnansweredChangeEndsLeases(t *testing.T) {
	for name, change := range changes {
		for _, outcome := range []error{s3client.ErrUnavailable, context.Canceled, context.DeadlineExceeded} {
			t.Run(name+"/"+outcome.Error(), func(t *testing.T) {
				c, k := leased(t, outcome)
				if err := change.do(c); !errors.Is(err, outcome) {
					t.Fatalf("error is %v", err)
				}
				if reads(k, "d/") || uses(k, "d/") || !k.isBarred("d/") {
					t.Error("the lease on d/ is relied on, or asked for")
				}
				if reads(k, "e/") == change.two || k.isBarred("e/") != change.two {
					t.Errorf("the lease on e/ is relied on: %v", reads(k, "e/"))
				}
				if !reads(k, "x/") || k.isBarred("x/") {
					t.Error("another lease is gone")
				}
			})
		}
	}
}

// An answer, whatever it says, ends no lease, nor does a request that changes nothing.
func TestAnsweredChangeKeepsLeases(t *testing.T) {
	for name, change := range changes {
		for _, outcome := range []error{
			s3client.ErrNotFound, s3client.ErrPrecondition, s3client.ErrConflict, s3client.ErrNotEmpty, s3client.ErrAccess,
			s3client.ErrThrottled, s3client.ErrTooLarge, s3client.ErrUnsupported, s3client.ErrNoSpace, s3client.ErrInvalid,
		} {
			t.Run(name+"/"+outcome.Error(), func(t *testing.T) {
				c, k := leased(t, outcome)
				if err := change.do(c); !errors.Is(err, outcome) {
					t.Fatalf("error is %v", err)
				}
				if !reads(k, "d/") || !reads(k, "e/") {
					t.Error("a lease is gone")
				}
			})
		}
	}
	for name, request := range others {
		t.Run(name, func(t *testing.T) {
			c, k := leased(t, s3client.ErrUnavailable)
			_ = request(c)
			if !reads(k, "d/") || !reads(k, "e/") {
				t.Error("a lease is gone")
			}
		})
	}
}

// Of a request for many keys, the leases end that those fall under of which it is not known.
func TestRemovalOfWhichPartIsUnanswered(t *testing.T) {
	for _, remove := range []func(*Client) error{
		func(c *Client) error { return c.Delete(ctx, "d/f", "e/f") },
		func(c *Client) error { return c.DeleteVersions(ctx, s3client.AnyVersion("d/f", "e/f")...) },
	} {
		k := newReads(t, "d/", "e/")
		if err := remove(k.Client(partly{memclient.New(memclient.Options{})})); !errors.Is(err, s3client.ErrUnavailable) {
			t.Fatalf("error is %v", err)
		}
		if reads(k, "d/") || !reads(k, "e/") {
			t.Errorf("d/ is relied on: %v, e/: %v", reads(k, "d/"), reads(k, "e/"))
		}
	}
}

// partly is a client that says nothing of one key.
type partly struct{ s3client.Client }

func (partly) Delete(context.Context, ...string) error {
	return errors.Join(&s3client.Error{Key: "d/f", Err: s3client.ErrUnavailable}, &s3client.Error{Key: "e/f", Err: s3client.ErrAccess})
}

// Very many changes in one directory keep leases from being asked for there, and not elsewhere.
func TestUnansweredChangesOfManyFiles(t *testing.T) {
	k := newReads(t, "d/")
	line := faultclient.New(memclient.New(memclient.Options{}))
	line.Add(faultclient.Fault{Do: faultclient.Fail(nil)})
	keys := make([]string, 2*maxBars)
	for i := range keys {
		keys[i] = fmt.Sprint("d/", i)
	}
	if err := k.Client(line).Delete(ctx, keys...); !errors.Is(err, s3client.ErrUnavailable) {
		t.Fatalf("error is %v", err)
	}
	if asks(k, "x/"); reads(k, "d/") || !k.isBarred("d/") || !k.isBarred("") || !reads(k, "x/") || len(k.mu.bars) > 1 {
		t.Errorf("d/ is relied on: %v, x/: %v, %d bars", reads(k, "d/"), reads(k, "x/"), len(k.mu.bars))
	}
}

// The rename of a directory ends leases on it and below, whichever name it has in the end.
func TestUnansweredRenameOfADirectory(t *testing.T) {
	for _, prefix := range []string{"d/sub/", "e/sub/"} {
		k := newReads(t, prefix)
		line := faultclient.New(memclient.New(memclient.Options{Capabilities: memclient.Full()}))
		line.Add(faultclient.Fault{Op: s3client.OpRename, Do: faultclient.Fail(nil)})
		if err := k.Client(line).Rename(ctx, "e/", "d/", s3client.RenameOptions{}); !errors.Is(err, s3client.ErrUnavailable) {
			t.Fatalf("error is %v", err)
		}
		if reads(k, prefix) {
			t.Errorf("the lease on %s is relied on", prefix)
		}
	}
}

func TestClientContract(t *testing.T) {
	clienttest.Run(t, func(t *testing.T) s3client.Client {
		_, k := newService(t)
		return k.Client(memclient.New(memclient.Options{Capabilities: memclient.Full()}))
	})
}
