package main

import (
	"log/slog"
	"testing"
	"time"

	"pail/cmd/internal/opt"
	"pail/fs/upload"
	"pail/s3client"
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
		v := b.volumeOptions(nil, s3client.Capabilities{}, &upload.Uploader{}, log)
		m := b.mountOptions(log)
		if v.TTL != test.ttl || v.NegativeTTL != test.negative {
			t.Errorf("%s: believes for %v, and that a name is not there for %v", test.options, v.TTL, v.NegativeTTL)
		}
		if m.EntryTimeout != test.kernel || m.AttrTimeout != test.kernel || m.NegativeTimeout != test.none {
			t.Errorf("%s: the kernel believes for %v, %v, %v", test.options, m.EntryTimeout, m.AttrTimeout, m.NegativeTimeout)
		}
	}
}
