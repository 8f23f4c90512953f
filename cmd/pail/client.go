package main

import (
	"context"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"pail/cmd/internal/creds"
	"pail/cmd/internal/opt"
	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/limit"
	"pail/s3client/retry"
)

// openClient makes the client of the bucket and checks that it works.
func openClient(ctx context.Context, m *opt.Mount, log *slog.Logger) (s3client.Client, s3client.Capabilities, error) {
	var none s3client.Capabilities
	provider, from, err := creds.Resolve(credentialsQuery(m, log))
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
	at := target{bucket: m.Bucket, prefix: m.Prefix, url: m.Endpoint, fallbacks: len(m.Fallbacks), credentials: from}
	caps, err := at.probe(ctx, client)
	if err != nil {
		return nil, none, err
	}
	retrying := retry.New(limit.New(client, m.MaxRequests, m.MaxHeads), retryOptions(m, log))
	return retrying, caps, nil
}

// The patience with a service of several endpoints: one that hangs is left soon, and requests wait for the time that it
// takes until another endpoint serves, however many are refused meanwhile.
const (
	fallbackConnect  = 3 * time.Second
	fallbackSilence  = 20 * time.Second
	fallbackWait     = time.Second      // between attempts, at most
	fallbackPerRetry = 12 * time.Second // for each of the retries that are allowed
)

func retryOptions(m *opt.Mount, log *slog.Logger) retry.Options {
	if len(m.Fallbacks) == 0 || m.Retries == 0 {
		return retry.Options{Attempts: m.Retries + 1, Log: log}
	}
	return retry.Options{Attempts: math.MaxInt, Deadline: time.Duration(m.Retries) * fallbackPerRetry, Max: fallbackWait, Log: log}
}

func credentialsQuery(m *opt.Mount, log *slog.Logger) creds.Query {
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
		Log:          log,
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
		Fallbacks:       m.Fallbacks,
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
			IPVersion:          m.IPVersion,
			ConnectTimeout:     m.ConnectTimeout,
			ReadWriteTimeout:   m.ReadWriteTimeout,
		},
		Log: log,
	}
	if len(m.Fallbacks) > 0 {
		o.HTTP.ConnectTimeout = min(o.HTTP.ConnectTimeout, fallbackConnect)
		o.HTTP.ReadWriteTimeout = min(o.HTTP.ReadWriteTimeout, fallbackSilence)
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
	paths := []*string{&m.Mountpoint, &m.Passwd, &m.CABundle, &m.LogFile, &m.TempDir, &m.CacheDir, &m.JournalDir, &m.MIMEFile,
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
