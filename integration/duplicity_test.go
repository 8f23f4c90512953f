package integration

import (
	"context"
	"crypto/md5"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/integration/load"
)

// duplicity is one user of Debian's duplicity: a source, where it is backed up to, and how.
type duplicity struct {
	harness.Command
	t      *testing.T
	dir    string // home, archive and temporary files
	source string
	url    string
	flags  []string
	now    time.Time // what duplicity takes the time to be
}

// newDuplicity makes a user with a source of a few files and no encryption. The first backup is three months old.
func newDuplicity(t *testing.T) *duplicity {
	harness.NeedProgram(t, "/usr/bin/duplicity", "duplicity")
	harness.NeedProgram(t, "/usr/bin/gpg", "gnupg")
	d := &duplicity{t: t, dir: t.TempDir(), now: time.Now().Add(-90 * 24 * time.Hour).Truncate(time.Second), flags: []string{"--no-encryption"}}
	d.source = filepath.Join(d.dir, "source")
	d.Timeout = 4 * time.Minute
	d.Env = []string{"HOME=" + d.dir, "TMPDIR=" + d.dir, "GNUPGHOME=" + filepath.Join(d.dir, "gnupg"), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + harness.AccessKey, "AWS_SECRET_ACCESS_KEY=" + harness.SecretKey}
	d.must(os.Mkdir(filepath.Join(d.dir, "gnupg"), 0o700))
	d.must(os.MkdirAll(filepath.Join(d.source, "sub", "empty"), 0o750))
	d.write("same", []byte("never changed\n"))
	d.write("changing", load.RandomBytes(11, 300_000))
	d.write("going", []byte("will be removed\n"))
	d.write("sub/spaced name é", load.RandomBytes(12, 2_000_000))
	d.must(os.Symlink("../same", filepath.Join(d.source, "sub", "link")))
	return d
}

func (d *duplicity) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// write writes a file that is as old as the backup to come: duplicity looks at whole seconds only.
func (d *duplicity) write(name string, content []byte) {
	d.t.Helper()
	path := filepath.Join(d.source, name)
	d.must(os.WriteFile(path, content, 0o640))
	d.must(os.Chtimes(path, d.now, d.now))
}

// encrypt has everything encrypted, with the passphrase from the environment.
func (d *duplicity) encrypt() {
	d.flags = nil
	d.Env = append(d.Env, "PASSPHRASE=correct horse battery staple")
	// The agent that gpg starts must not outlive the test.
	d.t.Cleanup(func() {
		harness.Command{Env: d.Env}.Try("/usr/bin/gpgconf", "--kill", "gpg-agent")
	})
}

// run calls duplicity; the time stands at d.now.
func (d *duplicity) run(args ...string) string {
	d.t.Helper()
	all := append([]string{args[0], "--current-time", strconv.FormatInt(d.now.Unix(), 10), "--num-retries", "1"}, d.flags...)
	return d.Run(d.t, "/usr/bin/duplicity", append(all, args[1:]...)...)
}

// later moves the time.
func (d *duplicity) later(days int) { d.now = d.now.Add(time.Duration(days) * 24 * time.Hour) }

// backup makes a backup and holds the statistics to be those of one without errors.
func (d *duplicity) backup(kind string, more ...string) string {
	d.t.Helper()
	out := d.run(append(append([]string{kind}, more...), d.source, d.url)...)
	for _, want := range []string{"Backup Statistics", "Errors 0\n"} {
		if !strings.Contains(out, want) {
			d.t.Errorf("no %q in the statistics:\n%s", want, out)
		}
	}
	return out
}

// restored restores the state of a time, and gives it as tree does.
func (d *duplicity) restored(at time.Time) string {
	d.t.Helper()
	dir := filepath.Join(d.t.TempDir(), "restored")
	d.run("restore", "--time", strconv.FormatInt(at.Unix(), 10), d.url, dir)
	return d.tree(dir)
}

// tree describes a directory: names, modes, links and contents.
func (d *duplicity) tree(dir string) string {
	d.t.Helper()
	var b strings.Builder
	d.must(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%s %v", name, info.Mode())
		switch e.Type() {
		case 0:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %d %x %d", len(content), md5.Sum(content), info.ModTime().Unix())
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			b.WriteString(" -> " + target)
		}
		b.WriteByte('\n')
		return nil
	}))
	return b.String()
}

func (d *duplicity) same(what, got, want string) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("%s: restored\n%s\nwant\n%s", what, got, want)
	}
}

// life is the life of a backup: full, incremental with files added, changed and removed, verify, status, restore of
// today and of the first day, a second full one, and the removal of what is too old.
func (d *duplicity) life() {
	d.t.Helper()
	first, atFirst := d.now, d.tree(d.source)
	if out := d.backup("full"); !strings.Contains(out, "NewFiles 8\n") {
		d.t.Errorf("not all is new in the first backup:\n%s", out)
	}
	d.later(1)
	d.write("added", load.RandomBytes(13, 100_000))
	d.write("changing", append(load.RandomBytes(11, 300_000), "and more"...))
	d.must(os.Remove(filepath.Join(d.source, "going")))
	second, atSecond := d.now, d.tree(d.source)
	if out := d.backup("incremental"); !strings.Contains(out, "DeletedFiles 1\n") || !strings.Contains(out, "ChangedFiles 1\n") {
		d.t.Errorf("the statistics of the second backup:\n%s", out)
	}
	d.later(1)
	if out := d.run("verify", "--compare-data", d.url, d.source); !strings.Contains(out, " 0 differences found") {
		d.t.Errorf("verify:\n%s", out)
	}
	if out := d.run("collection-status", d.url); !strings.Contains(out, "Number of contained backup sets: 2") ||
		!strings.Contains(out, "No orphaned or incomplete backup sets") {
		d.t.Errorf("collection-status:\n%s", out)
	}
	d.must(os.RemoveAll(filepath.Join(d.dir, ".cache"))) // what follows must come from the server alone
	d.same("today", d.restored(d.now), atSecond)
	d.same("the first day", d.restored(first), atFirst)
	d.later(30)
	d.backup("full")
	d.later(1)
	limit := second.Add(24 * time.Hour)
	if out := d.run("remove-older-than", strconv.FormatInt(limit.Unix(), 10), "--force", d.url); !strings.Contains(out, "Deleting") {
		d.t.Errorf("remove-older-than:\n%s", out)
	}
	out := d.run("collection-status", d.url)
	if strings.Contains(out, "Incremental") || !strings.Contains(out, "Number of contained backup sets: 1") {
		d.t.Errorf("what is left after remove-older-than:\n%s", out)
	}
	d.same("after the removal", d.restored(d.now), atSecond)
}

// keys lists the objects of a bucket.
func keys(t *testing.T, s *harness.Server, bucket string) (list []string) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(s.Client(t), &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			list = append(list, *o.Key)
		}
	}
	return list
}

// TestDuplicity plays the life of a backup over each way that Debian's duplicity has to an S3 server, and onto a mount.
func TestDuplicity(t *testing.T) {
	t.Parallel()
	harness.NeedFile(t, "/usr/lib/python3/dist-packages/boto", "python3-boto")
	t.Run("boto3 http plain", func(t *testing.T) {
		s := harness.Serve(t, harness.ServerOptions{HTTP: true})
		s.Bucket(t, "bucket")
		d := newDuplicity(t)
		d.url, d.flags = "boto3+s3://bucket/some/prefix", append(d.flags, "--s3-endpoint-url", s.URL)
		d.life()
	})
	t.Run("boto3 https encrypted", func(t *testing.T) {
		s := harness.Serve(t, harness.ServerOptions{})
		s.Bucket(t, "bucket")
		d := newDuplicity(t)
		d.encrypt()
		d.Env = append(d.Env, "AWS_CA_BUNDLE="+s.CA)
		d.url, d.flags = "boto3+s3://bucket", append(d.flags, "--s3-endpoint-url", s.URL)
		d.life()
		for _, k := range keys(t, s, "bucket") {
			if !strings.HasSuffix(k, ".gpg") {
				t.Errorf("%s is not encrypted", k)
			}
		}
	})
	t.Run("boto http encrypted", func(t *testing.T) {
		s := harness.Serve(t, harness.ServerOptions{HTTP: true})
		d := newDuplicity(t)
		d.encrypt()
		d.boto("is_secure = False\n")
		d.url = "s3://" + s.Addr() + "/made-by-duplicity/prefix"
		d.life()
	})
	// Python's own ssl, which boto takes unless told to validate, does not know ca_certificates_file.
	t.Run("boto https plain", func(t *testing.T) {
		s := harness.Serve(t, harness.ServerOptions{})
		d := newDuplicity(t)
		d.boto("is_secure = True\nhttps_validate_certificates = True\nca_certificates_file = " + s.CA + "\n")
		_, port, _ := strings.Cut(s.Addr(), ":")
		d.url = "s3://localhost:" + port + "/made-by-duplicity"
		d.life()
	})
	t.Run("file on a mount", func(t *testing.T) {
		s := harness.Serve(t, harness.ServerOptions{HTTP: true})
		s.Bucket(t, "bucket")
		d := newDuplicity(t)
		d.url = "file://" + s.Mount(t, "bucket", harness.MountOptions{}).Path("backup")
		d.must(os.Mkdir(strings.TrimPrefix(d.url, "file://"), 0o700))
		d.life()
	})
}

// boto writes a configuration of boto 2; TestDuplicityChapter has it where the seed has it.
func (d *duplicity) boto(lines string) {
	path := filepath.Join(d.dir, "boto.cfg")
	d.must(os.WriteFile(path, []byte("[Credentials]\naws_access_key_id = "+harness.AccessKey+"\naws_secret_access_key = "+harness.SecretKey+
		"\n[Boto]\n"+lines), 0o600))
	d.Env = append(d.Env, "BOTO_CONFIG="+path)
}

// TestDuplicityMultipart backs up volumes that boto3 sends as multipart uploads.
func TestDuplicityMultipart(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, harness.ServerOptions{HTTP: true, Binary: harness.StaticBinary(t)})
	s.Bucket(t, "bucket")
	d := newDuplicity(t)
	d.write("big", load.RandomBytes(14, 60<<20))
	d.url, d.flags = "boto3+s3://bucket", append(d.flags, "--s3-endpoint-url", s.URL, "--volsize", "50", "--s3-multipart-chunk-size", "10")
	d.backup("full")
	multipart := 0
	for _, k := range keys(t, s, "bucket") {
		head, err := s.Client(t).HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: &k})
		d.must(err)
		if strings.Contains(*head.ETag, "-") {
			multipart++
		}
	}
	if multipart < 2 {
		t.Errorf("%d volumes were multipart uploads, want 2", multipart)
	}
	d.same("all", d.restored(d.now), d.tree(d.source))
}

// TestDuplicityResumes kills the server in the middle of a full backup, which fails then, and starts it again: the same
// command goes on where the first had to stop.
func TestDuplicityResumes(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, harness.ServerOptions{HTTP: true})
	s.Bucket(t, "bucket")
	d := newDuplicity(t)
	d.write("big", load.RandomBytes(15, 24<<20))
	d.Env = append(d.Env, "AWS_MAX_ATTEMPTS=1")
	d.url, d.flags = "boto3+s3://bucket", append(d.flags, "--s3-endpoint-url", s.URL, "--volsize", "1")
	failed := make(chan error, 1)
	go func() {
		args := append([]string{"full", "--current-time", strconv.FormatInt(d.now.Unix(), 10), "--num-retries", "1"}, d.flags...)
		_, _, err := d.Try("/usr/bin/duplicity", append(args, d.source, d.url)...)
		failed <- err
	}()
	client := s.Client(t)
	for volumes := 0; volumes < 5; {
		select {
		case err := <-failed:
			t.Fatalf("duplicity ended before the server was killed: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
		page, err := client.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket")})
		d.must(err)
		volumes = len(page.Contents)
	}
	s.Kill()
	if err := <-failed; err == nil {
		t.Fatal("duplicity does not notice that the server is gone")
	}
	s.Restart(t)
	before := len(keys(t, s, "bucket"))
	if out := d.backup("full"); !strings.Contains(out, "RESTART") {
		t.Errorf("duplicity begins anew with %d volumes there:\n%s", before, out)
	}
	d.same("all", d.restored(d.now), d.tree(d.source))
	if out := d.run("verify", "--compare-data", d.url, d.source); !strings.Contains(out, " 0 differences found") {
		t.Errorf("verify:\n%s", out)
	}
	s.Stop(t)
	if out := (harness.Command{}).Run(t, harness.Binary(t), "serve", "--fsck", "--dir", s.Dir); !strings.HasSuffix(out, ": clean\n") {
		t.Errorf("fsck:\n%s", out)
	}
}

// TestDuplicityChapter plays the Duplicity section of the seed word for word: /etc/boto.cfg, port 8000, the command.
func TestDuplicityChapter(t *testing.T) {
	t.Parallel()
	harness.NeedProgram(t, "/usr/bin/duplicity", "duplicity")
	harness.NeedFile(t, "/usr/lib/python3/dist-packages/boto", "python3-boto")
	machine(t, "duplicity_chapter.sh", "chapter: passed")
}
