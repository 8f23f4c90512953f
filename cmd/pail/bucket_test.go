package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pail/cmd/internal/opt"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/server/servertest"
)

// mountOf is what a command line asks for.
func mountOf(t *testing.T, args ...string) *bucket {
	t.Helper()
	form := opt.Context{Form: opt.Command, Env: func(string) string { return "" }}
	m, err := form.Parse(append(args, "bucket", "/mnt"))
	if err != nil {
		t.Fatal(err)
	}
	return &bucket{options: &m}
}

func TestHowLongAMountBelieves(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, test := range []struct {
		options       string
		ttl, negative time.Duration
		kernel, none  time.Duration // 0 is the default of package fs, which is one second, and none at all
	}{
		{"rw", 10 * time.Second, 2 * time.Second, 0, 500 * time.Millisecond},
		{"stat_cache_expire=60", time.Minute, 2 * time.Second, 0, 500 * time.Millisecond},
		{"stat_cache_expire=1", time.Second, time.Second, 0, 500 * time.Millisecond},
		{"stat_cache_expire=0", 0, 0, 0, 0},
		{"disable_noobj_cache", 10 * time.Second, 0, 0, 0},
		{"attr_timeout=3,entry_timeout=3,negative_timeout=4", 10 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second},
	} {
		b := mountOf(t, "-o", test.options)
		v := b.volumeOptions(nil, s3client.Capabilities{}, upload.Options{}, log)
		m := b.mountOptions(log)
		if v.TTL != test.ttl || v.NegativeTTL != test.negative {
			t.Errorf("%s: believes for %v, and that a name is not there for %v", test.options, v.TTL, v.NegativeTTL)
		}
		if m.EntryTimeout != test.kernel || m.AttrTimeout != test.kernel || m.NegativeTimeout != test.none {
			t.Errorf("%s: the kernel believes for %v, %v, %v", test.options, m.EntryTimeout, m.AttrTimeout, m.NegativeTimeout)
		}
	}
}

// serverMount is what a command line asks for of a bucket on a test server.
func serverMount(t *testing.T, srv *servertest.Server, options string) *opt.Mount {
	t.Helper()
	passwd := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(passwd, []byte(servertest.AccessKey+":"+servertest.SecretKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := mountOf(t, "-o", "passwd_file="+passwd+",use_path_request_style,tmpdir="+t.TempDir()+",url="+srv.URL+","+options)
	return b.options
}

// testBucket opens a new bucket on a server of its own.
func testBucket(t *testing.T, options string) (*servertest.Server, *bucket) {
	t.Helper()
	srv := servertest.New(t, servertest.Options{})
	createBucket(t, srv, "bucket")
	b, err := openBucket(t.Context(), serverMount(t, srv, options), memoryBudget(64<<20, 1000), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return srv, b
}

// createWritten makes a file with some bytes, and flushes them.
func createWritten(t *testing.T, v *volume.Volume) (*volume.Inode, *volume.Handle) {
	t.Helper()
	n, h, _, err := v.Create(t.Context(), v.Root(), "f", 0o644, volume.OpenFlags{Write: true}, volume.Caller{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(t.Context(), []byte("content"), 0); err != nil {
		t.Fatal(err)
	}
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n, h
}

// A file whose last close the kernel does not tell of before the mount ends is stored, and no error.
func TestEndBeforeTheLastRelease(t *testing.T) {
	_, b := testBucket(t, "rw")
	createWritten(t, b.volume)
	if err := errors.Join(b.volume.Close(t.Context()), b.close(t.Context())); err != nil {
		t.Error(err)
	}
}

// A mount without the copy API downloads and uploads for what is otherwise done inside the service.
func TestNoCopyAPI(t *testing.T) {
	for _, test := range []struct {
		options string
		copies  bool
	}{{"rw", true}, {"nocopyapi", false}, {"norenameapi", false}} {
		t.Run(test.options, func(t *testing.T) {
			ctx := t.Context()
			srv, b := testBucket(t, test.options)
			defer b.close(ctx)
			v := b.volume
			n, h := createWritten(t, v)
			h.Release()
			srv.Reset()
			mode := uint32(0o600)
			if _, err := v.Setattr(ctx, n, volume.SetAttr{Mode: &mode}, nil); err != nil {
				t.Fatal(err)
			}
			chmod := srv.Counts()
			srv.Reset()
			if err := v.Rename(ctx, v.Root(), "f", v.Root(), "g", volume.RenameFlags{}); err != nil {
				t.Fatal(err)
			}
			rename := srv.Counts()
			if copied := chmod["CopyObject"] == 1 && rename["RenameObject"]+rename["CopyObject"] == 1; copied != test.copies {
				t.Errorf("chmod: %v; rename: %v", chmod, rename)
			}
			if !test.copies && (chmod["CopyObject"]+rename["CopyObject"]+rename["RenameObject"] != 0 || chmod["PutObject"] != 1 || rename["PutObject"] != 1) {
				t.Errorf("chmod: %v; rename: %v", chmod, rename)
			}
			if err := v.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}
