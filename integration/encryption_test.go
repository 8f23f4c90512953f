package integration

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/integration/load"
)

// secretText is what encrypted objects must not leave on disk.
const secretText = "nobody may find this on the disk"

// encrypted is a server with a key ring, and a key of a customer.
type encrypted struct {
	*harness.Server
	customer []byte
	keyFile  string // with that key
}

func newEncrypted(t *testing.T) *encrypted {
	t.Helper()
	ring, keys := filepath.Join(t.TempDir(), "kms-keys"), filepath.Join(t.TempDir(), "customer-key")
	e := &encrypted{customer: load.RandomBytes(9, 32), keyFile: keys}
	for path, line := range map[string]string{ring: "team/key:" + base64.StdEncoding.EncodeToString(load.RandomBytes(8, 32)),
		keys: base64.StdEncoding.EncodeToString(e.customer)} {
		if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e.Server = harness.Serve(t, harness.ServerOptions{Args: []string{"--kms-keys", ring}})
	e.Bucket(t, "bucket")
	return e
}

// nothingPlain looks for the text in all that the server keeps.
func (e *encrypted) nothingPlain(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(e.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secretText[:16])) {
			t.Errorf("%s has unencrypted bytes", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestEncryptedMounts mounts with each kind of use_sse, writes, changes and renames files, and reads them by another mount.
func TestEncryptedMounts(t *testing.T) {
	e := newEncrypted(t)
	for _, c := range []struct{ name, option, shown string }{
		{"s3", "use_sse=1", "AES256"},
		{"customer", "use_sse=custom:" + e.keyFile, ""},
		{"kms", "use_sse=kmsid:team/key", "aws:kms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := harness.MountOptions{Options: []string{c.option}}
			small := []byte(secretText)
			big := bytes.Repeat([]byte(secretText+"\n"), 30<<20/len(secretText))
			writeEncrypted(t, e.Mount(t, "bucket", options), c.name, small, big)
			copy(big[15<<20:], "changed in the middle")
			big = append(big, " and longer"...)
			again := e.Mount(t, "bucket", options)
			for name, want := range map[string][]byte{"small": small, "renamed": big} {
				if got, err := os.ReadFile(again.Path(c.name, name)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
				}
			}
			again.Unmount(t)
			e.wantKind(t, c.name+"/renamed", c.shown)
			e.wantKind(t, c.name+"/small", c.shown)
		})
	}
	e.Stop(t)
	e.nothingPlain(t)
}

// writeEncrypted writes the two files through a mount, changes the second in the middle and at its end, and renames it.
func writeEncrypted(t *testing.T, m *harness.Mount, dir string, small, big []byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(m.Path(dir), 0o755))
	must(os.WriteFile(m.Path(dir, "small"), small, 0o644))
	must(os.WriteFile(m.Path(dir, "big"), big, 0o644))
	must(os.Chmod(m.Path(dir, "small"), 0o600)) // a copy onto itself
	f, err := os.OpenFile(m.Path(dir, "big"), os.O_WRONLY, 0)
	must(err)
	_, err = f.WriteAt([]byte("changed in the middle"), 15<<20)
	must(err)
	_, err = f.WriteAt([]byte(" and longer"), int64(len(big)))
	must(err)
	must(f.Close())
	must(os.Rename(m.Path(dir, "big"), m.Path(dir, "renamed")))
	m.Unmount(t)
}

// wantKind asks the server how an object is encrypted; "" is with the customer's key.
func (e *encrypted) wantKind(t *testing.T, key, kind string) {
	t.Helper()
	in := &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key)}
	_, err := e.Client(t).HeadObject(context.Background(), in)
	if (err != nil) != (kind == "") {
		t.Errorf("%s without a key: %v", key, err)
	}
	if kind == "" {
		sum := md5.Sum(e.customer)
		in.SSECustomerAlgorithm, in.SSECustomerKey = aws.String("AES256"), aws.String(base64.StdEncoding.EncodeToString(e.customer))
		in.SSECustomerKeyMD5 = aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	}
	head, err := e.Client(t).HeadObject(context.Background(), in)
	if err != nil || string(head.ServerSideEncryption) != kind {
		t.Errorf("%s is encrypted with %q, want %q; %v", key, head.ServerSideEncryption, kind, err)
	}
	if kind == "aws:kms" && !strings.HasSuffix(aws.ToString(head.SSEKMSKeyId), ":key/team/key") {
		t.Errorf("%s is encrypted with %s", key, aws.ToString(head.SSEKMSKeyId))
	}
}

// TestEncryptingClients uses Debian's awscli and boto3 with keys of customers and of KMS; see testdata/boto3_encryption.py.
func TestEncryptingClients(t *testing.T) {
	t.Parallel()
	cli := harness.NeedProgram(t, "/usr/bin/aws", "awscli")
	python := harness.NeedProgram(t, "/usr/bin/python3", "python3-boto3")
	e := newEncrypted(t)
	dir := t.TempDir()
	big := bytes.Repeat([]byte(secretText+"\n"), 12<<20/len(secretText))
	file, back := filepath.Join(dir, "big"), filepath.Join(dir, "back")
	if err := os.WriteFile(file, big, 0o600); err != nil {
		t.Fatal(err)
	}
	c := harness.Command{Env: []string{"HOME=" + dir, "AWS_CA_BUNDLE=" + e.CA, "AWS_ACCESS_KEY_ID=" + harness.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + harness.SecretKey, "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER="}}
	for name, how := range map[string][]string{
		"customer": {"--sse-c", "AES256", "--sse-c-key", "fileb://" + filepath.Join(dir, "key")},
		"kms":      {"--sse", "aws:kms", "--sse-kms-key-id", "team/key"},
		"s3":       {"--sse", "AES256"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "key"), e.customer, 0o600); err != nil {
			t.Fatal(err)
		}
		run := func(args ...string) {
			t.Helper()
			c.Run(t, cli, append(append([]string{"--endpoint-url", e.URL, "s3", "cp", "--only-show-errors"}, args...), how...)...)
		}
		run(file, "s3://bucket/"+name)
		run("s3://bucket/"+name, back)
		if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, big) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(big), err)
		}
		e.wantKind(t, name, map[string]string{"customer": "", "kms": "aws:kms", "s3": "AES256"}[name])
	}
	c.Run(t, python, "testdata/boto3_encryption.py", e.URL, file)
	e.Stop(t)
	e.nothingPlain(t)
}
