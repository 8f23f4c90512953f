package creds

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/s3client"
)

// world is a machine with files and variables.
type world struct {
	t     *testing.T
	dir   string
	env   map[string]string
	log   bytes.Buffer
	asked []string // profiles
	drops int      // invalidations of profiles
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), env: map[string]string{}}
	for _, dir := range []string{"home/.aws", "etc"} {
		if err := os.MkdirAll(filepath.Join(w.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) query() Query {
	return Query{
		Bucket: "b", Home: w.path("home"), Etc: w.path("etc"), Env: func(name string) string { return w.env[name] },
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		AWS: func(profile string) s3client.CredentialsProvider {
			w.asked = append(w.asked, profile)
			return &profileProvider{w, profile}
		},
	}
}

type profileProvider struct {
	w    *world
	name string
}

func (p *profileProvider) Retrieve(context.Context) (s3client.Credentials, error) {
	return s3client.Credentials{AccessKey: "profile-" + p.name, SecretKey: "s"}, nil
}
func (p *profileProvider) Invalidate() { p.w.drops++ }

// access resolves and returns the access key.
func access(t *testing.T, q Query) (key, source string) {
	t.Helper()
	provider, source, err := Resolve(q)
	if err != nil {
		t.Fatal(err)
	}
	c, err := provider.Retrieve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c.AccessKey, source
}

func TestFirstPlaceWins(t *testing.T) {
	w := newWorld(t)
	// From the last place to the first, each beats those before.
	for _, step := range []struct {
		add          func(q *Query)
		want, source string
	}{
		{func(*Query) { w.write("etc/passwd-s3fs", "etc-s3fs:s") }, "etc-s3fs", w.path("etc/passwd-s3fs")},
		{func(*Query) { w.write("etc/passwd-pail", "etc-pail:s") }, "etc-pail", w.path("etc/passwd-pail")},
		{func(*Query) { w.write("home/.passwd-s3fs", "home-s3fs:s") }, "home-s3fs", w.path("home/.passwd-s3fs")},
		{func(*Query) { w.write("home/.passwd-pail", "home-pail:s") }, "home-pail", w.path("home/.passwd-pail")},
		{func(*Query) {
			w.write("home/.aws/credentials", "[default]\naws_access_key_id = x\n[p]\naws_access_key_id=y\n")
		},
			"profile-default", "profile default of"},
		{func(*Query) { w.env["AWS_PROFILE"] = "p" }, "profile-p", "profile p of"},
		{func(*Query) { w.write("file", "file:s"); w.env["AWS_CREDENTIAL_FILE"] = w.path("file") }, "file", "AWS_CREDENTIAL_FILE=" + w.path("file")},
		{func(*Query) { w.env["AWSACCESSKEYID"], w.env["AWSSECRETACCESSKEY"] = "old", "s" }, "old", "AWSACCESSKEYID"},
		{func(*Query) { w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = "new", "s" }, "new", "AWS_ACCESS_KEY_ID"},
		{func(q *Query) { q.Profile = "default" }, "new", "AWS_ACCESS_KEY_ID"},
		{func(q *Query) { q.Profile = "p" }, "profile-p", "profile p of"},
		{func(q *Query) { w.write("mine", "mine:s"); q.PasswdFile = w.path("mine") }, "mine", "passwd_file=" + w.path("mine")},
		{func(q *Query) { q.Public = true }, "", "public_bucket"},
	} {
		q := w.query()
		step.add(&q)
		key, source := access(t, q)
		if key != step.want || !strings.Contains(source, step.source) {
			t.Errorf("got %q from %q, want %q from %q", key, source, step.want, step.source)
		}
	}
}

func TestDeferredSourcesAskNobody(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/x"
	for _, set := range []func(*Query){func(q *Query) { q.IAMRole = "auto" }, func(q *Query) { q.ECS = true }} {
		q := w.query()
		q.PasswdFile = w.path("missing") // is not looked at
		set(&q)
		if provider, source, err := Resolve(q); err != nil || provider == nil || !strings.Contains(source, "role") {
			t.Errorf("%v %q", err, source)
		}
	}
	delete(w.env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
	q := w.query()
	q.ECS = true
	if _, _, err := Resolve(q); err == nil || !strings.Contains(err.Error(), "option ecs") {
		t.Errorf("no ECS: %v", err)
	}
}

func TestNothingFoundListsEveryPlaceAndTheRemedy(t *testing.T) {
	w := newWorld(t)
	w.write("etc/passwd-pail", "other:ak:s\n")
	_, _, err := Resolve(w.query())
	var none *NotFoundError
	if !errors.As(err, &none) || !errors.Is(err, s3client.ErrCredentials) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%v", err)
	}
	for _, part := range []string{"option passwd_file (not given)", "AWS_ACCESS_KEY_ID", "AWS_CREDENTIAL_FILE",
		".aws/credentials (no profile default)", ".passwd-pail (not there)", ".passwd-s3fs (not there)",
		"etc/passwd-pail (has no line for the bucket and no default one)", "etc/passwd-s3fs (not there)", "chmod 600", "bucket b"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	q := w.query()
	q.Home = ""
	if _, _, err := Resolve(q); err == nil || !strings.Contains(err.Error(), "no home directory") {
		t.Errorf("without a home: %v", err)
	}
}

func TestBrokenPlacesEndTheSearch(t *testing.T) {
	for what, c := range map[string]struct {
		set  func(w *world, q *Query)
		want string
	}{
		"passwd_file missing": {func(w *world, q *Query) { q.PasswdFile = w.path("x") }, "is not there (option passwd_file)"},
		"passwd_file open": {func(w *world, q *Query) {
			w.write("x", "a:s")
			os.Chmod(w.path("x"), 0o644)
			q.PasswdFile = w.path("x")
		}, "chmod 600"},
		"passwd_file malformed":     {func(w *world, q *Query) { w.write("x", "a:s\nhushhush"); q.PasswdFile = w.path("x") }, "line 2"},
		"passwd_file without match": {func(w *world, q *Query) { w.write("x", "c:a:s"); q.PasswdFile = w.path("x") }, "no credentials for bucket b"},
		"AWS_CREDENTIAL_FILE":       {func(w *world, _ *Query) { w.env["AWS_CREDENTIAL_FILE"] = w.path("x") }, "is not there (environment variable"},
		"home file open": {func(w *world, _ *Query) {
			w.write("home/.passwd-s3fs", "a:s")
			os.Chmod(w.path("home/.passwd-s3fs"), 0o640)
		}, "chmod 600"},
		"home file malformed":  {func(w *world, _ *Query) { w.write("home/.passwd-s3fs", "[x]") }, "line 1"},
		"key without secret":   {func(w *world, _ *Query) { w.env["AWS_ACCESS_KEY_ID"] = "a" }, "AWS_SECRET_ACCESS_KEY is not"},
		"secret without key":   {func(w *world, _ *Query) { w.env["AWSSECRETACCESSKEY"] = "hushhush" }, "AWS_ACCESS_KEY_ID is not"},
		"profile missing":      {func(_ *world, q *Query) { q.Profile = "p" }, `no profile "p"`},
		"profile without home": {func(_ *world, q *Query) { q.Profile = "p"; q.Home = "" }, "no home directory"},
		"AWS_PROFILE missing":  {func(w *world, _ *Query) { w.env["AWS_PROFILE"] = "p" }, "AWS_PROFILE"},
		"no token in environment": {func(w *world, q *Query) {
			w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"], q.RequireToken = "a", "hushhush", true
		}, "AWS_SESSION_TOKEN"},
	} {
		w := newWorld(t)
		w.write("etc/passwd-s3fs", "last:s") // must not be reached
		q := w.query()
		c.set(w, &q)
		_, _, err := Resolve(q)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hushhush") {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

func TestSessionTokens(t *testing.T) {
	w := newWorld(t)
	w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"], w.env["AWSSESSIONTOKEN"] = "a", "s", "t"
	q := w.query()
	q.RequireToken = true
	provider, _, err := Resolve(q)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := provider.Retrieve(context.Background()); err != nil || c.SessionToken != "t" {
		t.Errorf("token lost: %v", err)
	}
	w.write("x", "a:s")
	q.PasswdFile = w.path("x")
	if provider, _, err = Resolve(q); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Retrieve(context.Background()); !errors.Is(err, s3client.ErrCredentials) || !strings.Contains(err.Error(), "use_session_token") {
		t.Errorf("passwd file without token: %v", err)
	}
}

func TestProfilesThatGiveNoCredentialsAreNone(t *testing.T) {
	for text, want := range map[string]bool{
		"[default]\nregion = x\n":                                 false,
		"[default]\nregion = x\n[other]\naws_access_key_id = a\n": false,
		"[ default ] # c\n  AWS_Access_Key_ID= a\n":               true,
		"[profile default]\ncredential_process = /bin/x\n":        true,
		"[profile  default]\nsso_session = x\n":                   true,
		"[profiledefault]\nrole_arn = x\n":                        false,
		"[profile default\naws_access_key_id = a\n":               true,
		"aws_access_key_id = a\n":                                 false,
		"[default]\naws_access_key_id\n":                          false,
		"[default]\n# aws_access_key_id = a\n":                    false,
	} {
		w := newWorld(t)
		w.write("home/.aws/config", text)
		_, source, err := Resolve(w.query())
		if (err == nil) != want {
			t.Errorf("%q: %v %q", text, err, source)
		}
	}
	w := newWorld(t)
	w.write("creds", "[default]\naws_access_key_id=a\n")
	w.env["AWS_SHARED_CREDENTIALS_FILE"] = w.path("creds")
	if _, source := access(t, w.query()); !strings.Contains(source, w.path("creds")) {
		t.Errorf("source %q", source)
	}
}

func TestChangedFilesAreReadAgain(t *testing.T) {
	w := newWorld(t)
	w.write("home/.passwd-s3fs", "old:s")
	provider, _, err := Resolve(w.query())
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		if c, err := provider.Retrieve(context.Background()); err != nil || c.AccessKey != want {
			t.Errorf("got %v %v, want %q", c, err, want)
		}
	}
	expect("old")
	w.write("home/.passwd-s3fs", "newer:s")
	expect("newer")
	w.write("home/.passwd-s3fs", "hushhush")
	expect("newer")
	provider.Invalidate()
	expect("newer")
	if log := w.log.String(); !strings.Contains(log, "line 1") || strings.Contains(log, "hushhush") || strings.Count(log, "\n") != 1 {
		t.Errorf("log %q", log)
	}
	w.write("home/.passwd-s3fs", "other:a:s")
	if _, err := provider.Retrieve(context.Background()); !errors.Is(err, s3client.ErrCredentials) {
		t.Errorf("bucket's line gone: %v", err)
	}
}

func TestChangedAWSFilesInvalidateTheProfile(t *testing.T) {
	w := newWorld(t)
	w.write("home/.aws/credentials", "[default]\naws_access_key_id=a\n")
	provider, _, err := Resolve(w.query())
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		do    func()
		drops int
	}{
		{func() {}, 0},
		{func() { w.write("home/.aws/credentials", "[default]\naws_access_key_id=ab\n") }, 1},
		{func() {}, 1},
		{func() { w.write("home/.aws/config", "") }, 2},
		{func() { os.Remove(w.path("home/.aws/config")) }, 3},
		{provider.Invalidate, 4},
	} {
		step.do()
		if c, err := provider.Retrieve(context.Background()); err != nil || c.AccessKey != "profile-default" || w.drops != step.drops {
			t.Errorf("step %d: %v %v, %d invalidations, want %d", i, c, err, w.drops, step.drops)
		}
	}
	if len(w.asked) != 1 {
		t.Errorf("providers made: %q", w.asked)
	}
}
