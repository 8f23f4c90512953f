package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"

	"pail/cmd/internal/passwd"
	"pail/cmd/internal/sdnotify"
	"pail/server"
)

// serve is "pail serve". With --fsck it only looks; else it returns 0 after SIGTERM or SIGINT, when the requests under way have been answered.
func serve(args []string, env func(string) string, stdout, stderr io.Writer) int {
	o, err := parseServe(args, env, stdout)
	if errors.Is(err, errHelp) {
		return 0
	}
	if err != nil {
		return fail(stderr, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	switch {
	case o.fsckOnly:
		return o.fsck(ctx, stdout, stderr)
	case o.rotate:
		return o.rotateMasterKey(stdout, stderr)
	}
	if err := o.run(ctx, stdout, o.logger(stderr)); err != nil {
		return fail(stderr, err)
	}
	return 0
}

// run serves until ctx ends.
func (o *serveOptions) run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	if err := os.MkdirAll(o.metadata, 0o700); err != nil {
		return fmt.Errorf("metadata directory: %w; choose another with --metadata or --dir", err)
	}
	if o.passwordShown {
		log.Warn("all users of this machine can see the database's password among the arguments: give PAIL_METADATA, or a file with mode 0600")
	}
	keys, from, err := o.keys(log)
	if err != nil {
		return err
	}
	config, ca, err := o.tls(log)
	if err != nil {
		return err
	}
	listeners, err := o.listenAll()
	if err != nil {
		return err
	}
	defer listeners.close()
	s, err := server.New(server.Options{DataDir: o.data, MetadataDir: o.metadata, Database: o.database, Standby: !o.noWait, Patience: o.patience, Keys: keys, Region: o.region,
		ClientTimeout: o.clientTimeout, Domains: o.domains, WebsiteDomains: o.websiteDomains, LifecycleDay: o.lifecycleDay, AccessLogInterval: o.logInterval, ObjectOwnership: o.ownership, BlockPublicAccess: o.blockPublic, Log: log,
		MasterKeyFile: o.masterKeys, KMSKeyFile: o.kmsKeys, DefaultEncryption: o.encryption == "AES256", InsecureCustomerKeys: o.insecureSSEC})
	if err != nil {
		if errors.Is(err, server.ErrInUse) {
			return fmt.Errorf("%w; stop it, or choose another --dir", err)
		}
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	said := make(chan struct{})
	go func() {
		defer close(said)
		o.sayReady(ctx, s, listeners, stdout, scheme(config != nil), from, ca, log)
	}()
	err = o.serveAll(ctx, s, listeners, config, log)
	stop()
	<-said
	return errors.Join(err, s.Close())
}

// sayReady prints a line for each listener: when the server owns its directories, and before, when it stands by.
func (o *serveOptions) sayReady(ctx context.Context, s *server.Server, on listeners, stdout io.Writer, scheme, credentials, ca string, log *slog.Logger) {
	tell := func(status string) {
		if err := sdnotify.Send(os.Getenv, "READY=1\nSTATUS="+status); err != nil {
			log.Warn("the service manager does not know of the server", "error", err)
		}
	}
	if !s.Serving() {
		why := "another server owns " + o.metadata
		if o.database != "" {
			why = "the database cannot be reached or is being checked"
		}
		tell("standing by: " + why)
		for _, l := range on.s3 {
			fmt.Fprintf(stdout, "pail: standing by on %s://%s, %s\n", scheme, l.Addr(), why)
		}
	}
	select {
	case <-ctx.Done():
		return
	case <-s.Owned():
	}
	tell("serving")
	if ca != "" {
		ca = ", CA in " + ca
	}
	for _, l := range on.s3 {
		fmt.Fprintf(stdout, "pail: serving S3 on %s://%s, credentials in %s%s\n", scheme, l.Addr(), credentials, ca)
	}
	for _, l := range on.websites {
		fmt.Fprintf(stdout, "pail: serving websites on %s://%s\n", scheme, l.Addr())
	}
}

func scheme(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

// tls gives the configuration that the flags ask for, nil for plain HTTP.
func (o *serveOptions) tls(log *slog.Logger) (config *tls.Config, ca string, err error) {
	switch {
	case len(o.selfSigned) > 0:
		config, ca, err = server.SelfSigned(filepath.Join(o.metadata, "tls"), o.selfSigned, log)
		if err != nil {
			return nil, "", fmt.Errorf("--tls-self-signed: %w", err)
		}
	case o.tlsCert != "":
		if config, err = server.TLSFiles(o.tlsCert, o.tlsKey, log); err != nil {
			return nil, "", fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
	}
	return config, ca, nil
}

// keys gives the credentials and says where they come from.
func (o *serveOptions) keys(log *slog.Logger) (keys server.Keys, from string, err error) {
	if o.accessKey != "" {
		return server.KeyList{{AccessKey: o.accessKey, SecretKey: o.secretKey}}, "SCALITY_ACCESS_KEY_ID and SCALITY_SECRET_ACCESS_KEY", nil
	}
	if o.accounts != "" {
		file, err := server.OpenAccounts(o.accounts, log)
		if err != nil {
			return nil, "", err
		}
		return file, o.accounts, nil
	}
	path := o.passwdFile
	if path == "" {
		path = filepath.Join(o.metadata, "credentials")
		if _, err := server.Credentials(path); err != nil {
			return nil, "", fmt.Errorf("making credentials: %w", err)
		}
	}
	file, err := passwd.OpenFile(path, passwd.Options{OnError: func(err error) {
		log.Error("credentials not read again, the old ones stay valid", "error", err)
	}})
	if err != nil {
		return nil, "", err
	}
	if len(file.Entries()) == 0 {
		return nil, "", fmt.Errorf("passwd file %s holds no credentials: write a line ACCESS_KEY:SECRET_KEY", path)
	}
	return passwdKeys{file}, path, nil
}

// passwdKeys looks credentials up in a passwd file, as it is now.
type passwdKeys struct{ file *passwd.File }

// Lookup implements server.Keys. The bucket that an entry may name is the client's business.
func (k passwdKeys) Lookup(accessKey string) (server.Credential, bool) {
	for _, e := range k.file.Entries() {
		if e.AccessKey == accessKey {
			return server.Credential{AccessKey: e.AccessKey, SecretKey: e.SecretKey}, true
		}
	}
	return server.Credential{}, false
}
