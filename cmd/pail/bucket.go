package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pail/cmd/internal/creds"
	"pail/cmd/internal/opt"
	"pail/fs"
	"pail/fs/attr"
	"pail/fs/keymap"
	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/fs/volume"
	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/limit"
	"pail/s3client/retry"
)

const (
	// probeTimeout bounds the first requests: a person is waiting for the answer.
	probeTimeout = 60 * time.Second
	// negativeTimeout is how long the kernel believes that a name is not there, if nothing else is said.
	negativeTimeout = time.Second
)

// bucket is a bucket as a volume, with all that is below it.
type bucket struct {
	options *opt.Mount
	source  string // as the mount table shows it
	volume  *volume.Volume
	area    *stage.Area
	pool    *readahead.Pool
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
	b := &bucket{
		options: m,
		source:  sourceName(m),
		area:    area,
		pool:    readahead.NewPool(readahead.Options{Client: client, MemoryLimit: budget.readahead, Log: log}),
	}
	uploader := upload.New(upload.Options{
		Client:             client,
		PartSize:           m.MultipartSize,
		MultipartThreshold: m.MultipartThreshold,
		CopyPartSize:       m.CopyPartSize,
		SingleCopyLimit:    m.SingleCopyLimit,
		Parallel:           m.MaxRequests,
		NoMultipart:        m.NoMultipart,
		NoMix:              m.NoMixUpload,
		NoCopy:             m.NoCopy,
		Log:                log,
	})
	b.volume, err = volume.New(b.volumeOptions(client, caps, uploader, log))
	if err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

// close frees what is below the volume.
func (b *bucket) close(context.Context) error {
	return errors.Join(b.pool.Close(), b.area.Close())
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

func (b *bucket) volumeOptions(client s3client.Client, caps s3client.Capabilities, up *upload.Uploader, log *slog.Logger) volume.Options {
	m := b.options
	o := volume.Options{
		Client:     client,
		Caps:       caps,
		Keys:       keymap.New(m.Prefix),
		Stage:      b.area,
		Readahead:  b.pool,
		Upload:     up,
		MIME:       mimeTypes(m.MIMEFile, log),
		Defaults:   attr.Defaults{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), FileMode: 0o644, DirMode: 0o755},
		Override:   volume.Override{UID: m.UID, GID: m.GID, Umask: m.Umask, RootUmask: m.MountpointUmask},
		ReadOnly:   m.ReadOnly,
		CompatDir:  m.CompatDir,
		TTL:        m.AttrTTL,
		MaxEntries: m.CacheEntries,
		Parallel:   m.MaxRequests,
		BucketSize: m.BucketSize,
		Log:        log,
	}
	if m.NegativeCache {
		o.NegativeTTL = m.AttrTTL
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
		EntryTimeout:   kernelTime(m.KernelEntryTTL),
		AttrTimeout:    kernelTime(m.KernelAttrTTL),
		Log:            log,
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

// openClient makes the client of the bucket and checks that it works.
func openClient(ctx context.Context, m *opt.Mount, log *slog.Logger) (s3client.Client, s3client.Capabilities, error) {
	var none s3client.Capabilities
	query := credentialsQuery(m)
	query.Log = log
	provider, from, err := creds.Resolve(query)
	if err != nil {
		return nil, none, err
	}
	o := clientOptions(m, provider, log)
	if err := readSecrets(m, &o); err != nil {
		return nil, none, err
	}
	client, err := awss3.New(o)
	if err != nil {
		return nil, none, err
	}
	at := target{bucket: m.Bucket, prefix: m.Prefix, url: m.Endpoint, credentials: from}
	caps, err := at.probe(ctx, client)
	if err != nil {
		return nil, none, err
	}
	retrying := retry.New(limit.New(client, m.MaxRequests), retry.Options{Attempts: m.Retries + 1})
	return retrying, caps, nil
}

func credentialsQuery(m *opt.Mount) creds.Query {
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	return creds.Query{
		Bucket:       m.Bucket,
		PasswdFile:   m.Passwd,
		Profile:      m.Profile,
		Public:       m.Public,
		IAMRole:      m.IAMRole,
		IMDSv1Only:   m.IMDSv1Only,
		ECS:          m.ECS,
		RequireToken: m.RequireToken,
		Env:          os.Getenv,
		Home:         home,
	}
}

// readSecrets completes the options with what is in files of keys and passwords.
func readSecrets(m *opt.Mount, o *awss3.Options) (err error) {
	o.Encryption = awss3.Encryption{SSES3: m.SSE.Mode == "S3", KMS: m.SSE.Mode == "KMS", KMSID: m.SSE.KMSKeyID}
	if o.Encryption.CustomerKeys, err = m.SSE.CustomerKeys(); err != nil {
		return err
	}
	o.HTTP.Proxy, err = m.ProxyURL()
	return err
}

func clientOptions(m *opt.Mount, provider s3client.CredentialsProvider, log *slog.Logger) awss3.Options {
	o := awss3.Options{
		Bucket:          m.Bucket,
		Endpoint:        m.Endpoint,
		ServicePath:     m.ServicePath,
		PathStyle:       m.PathStyle,
		Credentials:     provider,
		SigV2:           m.SigV2,
		ProbePrefix:     m.Prefix,
		ReadOnly:        m.ReadOnly,
		UserAgent:       userAgent(m),
		RequesterPays:   m.RequesterPays,
		ACL:             m.ACL,
		StorageClass:    m.StorageClass,
		UnsignedPayload: m.UnsignedPayload,
		ContentMD5:      m.ContentMD5,
		HTTP: awss3.HTTPOptions{
			CABundle:           m.CABundle,
			InsecureSkipVerify: m.NoCheckCertificate,
			SkipVerifyHostname: !m.VerifyHostname,
			ClientCert:         m.ClientCert.Cert,
			ClientKey:          m.ClientCert.Key,
			Proxy:              m.Proxy,
			IPVersion:          m.IPVersion,
			ConnectTimeout:     m.ConnectTimeout,
			ReadWriteTimeout:   m.ReadWriteTimeout,
		},
		Log: log,
	}
	if m.RegionGiven {
		o.Region = m.Region
	}
	return o
}

func userAgent(m *opt.Mount) string {
	agent := "pail/" + versionText()
	if m.InstanceName != "" {
		agent += " (" + m.InstanceName + ")"
	}
	return agent
}

// absolutePaths makes the paths of options independent of the working directory, which a process in the background
// leaves.
func absolutePaths(m *opt.Mount) error {
	paths := []*string{&m.Mountpoint, &m.Passwd, &m.CABundle, &m.LogFile, &m.TempDir, &m.MIMEFile,
		&m.ClientCert.Cert, &m.ClientCert.Key, &m.ProxyCredFile, &m.SSE.KeyFile}
	for i := range m.SSE.ReadFiles {
		paths = append(paths, &m.SSE.ReadFiles[i])
	}
	for _, path := range paths {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return nil
}
