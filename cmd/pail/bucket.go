package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"pail/cmd/internal/opt"
	"pail/fs"
	"pail/fs/attr"
	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
)

// negativeTimeout is how long the kernel believes that a name is not there, if nothing else is said.
const negativeTimeout = 500 * time.Millisecond

// negativeTTL bounds how long the mount believes that a name is not there, whatever it believes of names that are:
// what another client adds should appear while a person looks, also in a directory that was just listed.
const negativeTTL = 2 * time.Second

// bucket is a bucket as a volume, with all that is below it.
type bucket struct {
	options *opt.Mount
	source  string // as the mount table shows it
	volume  *volume.Volume
	area    *stage.Area
	pool    *readahead.Pool
	cache   dataCache
	journal *mountJournal // nil without writeback
	log     *slog.Logger
}

// openBucket checks that bucket, prefix and credentials work, and makes the volume. The volume is closed by who mounts it,
// the rest by close.
func openBucket(ctx context.Context, m *opt.Mount, budget budget, log *slog.Logger) (*bucket, error) {
	client, caps, err := openClient(ctx, m, log)
	if err != nil {
		return nil, err
	}
	area, err := stage.New(stage.Options{
		Dir:             m.TempDir,
		MemoryTotal:     budget.stage,
		KeepFree:        m.KeepFreeBytes,
		KeepFreePercent: m.KeepFreePercent,
	})
	if err != nil {
		return nil, fmt.Errorf("tmpdir %s cannot be used: %w", m.TempDir, err)
	}
	cache, err := openCache(m, log)
	if err != nil {
		return nil, errors.Join(err, area.Close())
	}
	b := &bucket{
		options: m,
		source:  sourceName(m),
		area:    area,
		pool:    readahead.NewPool(cache.reads(readahead.Options{Client: client, MemoryLimit: budget.readahead, Log: log})),
		cache:   cache,
		log:     log,
	}
	uploads := upload.Options{
		PartSize:           m.MultipartSize,
		MultipartThreshold: m.MultipartThreshold,
		CopyPartSize:       m.CopyPartSize,
		SingleCopyLimit:    m.SingleCopyLimit,
		Parallel:           m.MaxRequests,
		NoMultipart:        m.NoMultipart,
		NoMix:              m.NoMixUpload,
		NoCopy:             m.NoCopy,
		Patch:              caps.Patch,
		Log:                log,
	}
	if b.journal, err = openJournal(m, log); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	b.volume, err = volume.New(b.volumeOptions(client, caps, uploads, log))
	if err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

// close frees what is below the volume. That files are open is no error: the kernel does not wait until it has told of the
// last close(2), so the end of the mount may come first (fuse(4), FUSE_RELEASE). What was closed has been stored, and local
// data ends with the process.
func (b *bucket) close(ctx context.Context) error {
	if err := b.area.Close(); err != nil {
		b.log.Debug("files were open when the mount ended", "error", err)
	}
	return errors.Join(b.closeJournal(ctx), b.pool.Close(), b.cache.close())
}

// sourceName is the first field of the mount table.
func sourceName(m *opt.Mount) string {
	if m.FSName != "" {
		return m.FSName
	}
	if m.Prefix == "" {
		return m.Bucket
	}
	return m.Bucket + ":/" + strings.TrimSuffix(m.Prefix, "/")
}

func (b *bucket) volumeOptions(client s3client.Client, caps s3client.Capabilities, up upload.Options, log *slog.Logger) volume.Options {
	m := b.options
	if m.NoCopy { // a rename inside the service is a copy too
		caps.RenameObject, caps.RenamePrefix = false, false
	}
	o := volume.Options{
		Client:     client,
		Caps:       caps,
		Keys:       keymap.New(m.Prefix),
		Stage:      b.area,
		Readahead:  b.pool,
		Kept:       b.cache.has,
		Lend:       b.cache.lend,
		Upload:     up,
		MIME:       mimeTypes(m.MIMEFile, log),
		Defaults:   attr.Defaults{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), FileMode: 0o644, DirMode: 0o755},
		Override:   volume.Override{UID: m.UID, GID: m.GID, Umask: m.Umask, RootUmask: m.MountpointUmask},
		ReadOnly:   m.ReadOnly,
		CompatDir:  m.CompatDir,
		NoSpecials: m.NoSpecials,
		LazyExcl:   m.LazyExcl,
		LazyUnlink: !m.SyncUnlink,
		ReadLeases: m.ReadLeases,
		TTL:        m.AttrTTL,
		MaxEntries: m.CacheEntries,
		Parallel:   m.MaxRequests,
		Heads:      m.MaxHeads,
		BucketSize: m.BucketSize,
		Log:        log,
	}
	if b.journal != nil {
		o.Journal = b.journal.Journal
	}
	if m.NegativeCache {
		o.NegativeTTL = min(negativeTTL, m.AttrTTL)
	}
	return o
}

func mimeTypes(path string, log *slog.Logger) *attr.MIME {
	types, err := attr.LoadMIME(path)
	if err != nil {
		log.Debug("content types by suffix are pail's own", "file", path, "error", err)
		return attr.DefaultMIME()
	}
	return types
}

// mountOptions are the options of the FUSE mount.
func (b *bucket) mountOptions(log *slog.Logger) fs.Options {
	m := b.options
	o := fs.Options{
		Source:         b.source,
		AllowOther:     m.AllowOther,
		ReadOnly:       m.ReadOnly,
		OwnPermissions: !m.DefaultPermissions,
		NoXattrs:       !m.Xattrs,
		NoACLs:         m.NoACLs,
		EntryTimeout:   kernelTime(m.KernelEntryTTL),
		AttrTimeout:    kernelTime(m.KernelAttrTTL),
		Log:            log,
	}
	if m.PassThrough {
		o.PassThrough = b.cache.dir()
	}
	switch {
	case m.KernelNegativeTTL >= 0:
		o.NegativeTimeout = m.KernelNegativeTTL
	case m.NegativeCache:
		o.NegativeTimeout = min(negativeTimeout, m.AttrTTL)
	}
	for _, word := range m.KernelOptions {
		if fs.KernelFlag(word) {
			o.KernelFlags = append(o.KernelFlags, word)
		}
	}
	return o
}

// kernelTime tells fs.Options "not given" from "not at all".
func kernelTime(given time.Duration) time.Duration {
	if given < 0 {
		return 0
	}
	return max(given, time.Nanosecond)
}
