package keyring

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var secret = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))

func TestFiles(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "there is no line"},
		{"# nothing\n\n", "there is no line"},
		{"name", "line 1 is not NAME:KEY"},
		{"two words:" + secret, "line 1 is not NAME:KEY"},
		{":" + secret, "line 1 is not NAME:KEY"},
		{"a:" + secret[:20], "line 1: the key is not 32 bytes"},
		{"a:" + secret + "\nb:" + secret[1:] + "A", "line 2: the key is not 32 bytes"},
		{"a:" + secret + "\na:" + secret, "line 2: the name was there before"},
	} {
		_, err := parse(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret[:10]) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	l, err := parse(strings.NewReader("# keys\r\n aws/s3:" + secret + "\r\nb:" + secret))
	if err != nil || len(l.entries) != 2 || l.last().name != "b" {
		t.Fatal(l, err)
	}
	if e, ok := l.find("aws/s3"); !ok || e.secret[0] != 7 {
		t.Error(e, ok)
	}
}

func TestRingFollowsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kms")
	write := func(text string, mode fs.FileMode) {
		t.Helper()
		_ = os.Remove(path)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("a:"+secret, 0o644)
	if _, err := OpenRing(path, nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("an open file: %v", err)
	}
	write("a:"+secret, 0o600)
	var log bytes.Buffer
	r, err := OpenRing(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	write("b:nonsense", 0o600)
	r.file.Refresh()
	if _, ok := r.Find("a"); !ok || !strings.Contains(log.String(), "stays valid") || strings.Contains(log.String(), secret) {
		t.Errorf("a bad version: %s", log.String())
	}
	write("b:"+secret, 0o600)
	r.file.Refresh()
	_, a := r.Find("a")
	if _, b := r.Find("b"); a || !b {
		t.Error("a good version is not taken")
	}
}

// The file of master keys is made once, whoever is first, and a key that was there stays.
func TestMasterKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	first, err := OpenMaster(path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := first.Find("x"); ok {
		t.Error("a key of no file")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("looking made the file")
	}
	second, err := OpenMaster(path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	names := make([]string, 2)
	for i, m := range []*Master{first, second} {
		wg.Go(func() {
			var err error
			if names[i], _, err = m.Current(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if names[0] != names[1] || names[0] == "" {
		t.Errorf("two first keys: %q", names)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	for range 4 { // at once, and none is lost
		wg.Go(func() {
			if _, err := Rotate(path, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	next, err := Rotate(path, "")
	if err != nil {
		t.Fatal(err)
	}
	first.mu.file.Refresh()
	name, secret, err := first.Current()
	old, ok := first.Find(names[0])
	if name != next || err != nil || !ok || old == secret {
		t.Errorf("after a rotation %q encrypts, want %q; the first is there: %v; %v", name, next, ok, err)
	}
	if n := len(first.mu.file.Current().entries); n != 6 {
		t.Errorf("%d keys, want 6", n)
	}
}

func TestMasterKeysThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMaster(path, "", nil); err == nil {
		t.Error("a damaged file is taken")
	}
	if _, err := Rotate(path, ""); err == nil {
		t.Error("a damaged file is written over")
	}
}

// Nothing is encrypted with a key that is in memory only, and no new key hides that the file of the old one is gone.
func TestMasterKeyFileThatIsGone(t *testing.T) {
	dir := t.TempDir()
	path, record := filepath.Join(dir, "keys"), filepath.Join(dir, "record")
	m, err := OpenMaster(path, record, nil)
	if err != nil {
		t.Fatal(err)
	}
	name, _, err := m.Current()
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Current(); err == nil {
		t.Error("a key encrypts though its file is damaged")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Current(); err == nil {
		t.Error("a key encrypts though its file is gone")
	}
	if _, ok := m.Find(name); !ok {
		t.Error("what it has encrypted cannot be read")
	}
	for _, p := range []string{path, filepath.Join(dir, "typo")} {
		again, err := OpenMaster(p, record, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := again.Current(); err == nil || !strings.Contains(err.Error(), record) {
			t.Errorf("%s: a new key is made, or it is not said why not: %v", p, err)
		}
		if _, err := Rotate(p, record); err == nil {
			t.Errorf("%s: a rotation makes it", p)
		}
		if _, err := os.Stat(p); err == nil {
			t.Errorf("%s was made", p)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, err := m.Current(); got != name || err != nil {
		t.Errorf("with the file back: %q, %v", got, err)
	}
}

// A server learns at its start that a key is gone, and not from who reads an old object.
func TestRequiredKeys(t *testing.T) {
	dir := t.TempDir()
	path, record := filepath.Join(dir, "keys"), filepath.Join(dir, "record")
	require := func() error {
		t.Helper()
		m, err := OpenMaster(path, record, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m.Require()
	}
	write := func(lines ...string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := require(); err != nil {
		t.Errorf("nothing was encrypted: %v", err)
	}
	write("a:"+secret, "b:"+secret)
	if err := require(); err != nil {
		t.Errorf("a store of the time without records: %v", err)
	}
	write("c:"+secret, "a:"+secret)
	err := require()
	if err == nil || !strings.Contains(err.Error(), "master key b ") || !strings.Contains(err.Error(), record) || strings.Contains(err.Error(), secret) {
		t.Errorf("a key is gone: %v", err)
	}
	write("c:"+secret, "b:"+secret, "a:"+secret, "d:"+secret)
	if err := require(); err != nil {
		t.Errorf("with all keys: %v", err)
	}
	m, err := OpenMaster(path, record, nil)
	if err != nil {
		t.Fatal(err)
	}
	if name, _, err := m.Current(); name != "d" || err != nil {
		t.Fatal(name, err)
	}
	write("b:"+secret, "a:"+secret)
	if err := require(); err == nil || !strings.Contains(err.Error(), "master key d ") {
		t.Errorf("a later key is gone: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := require(); err == nil {
		t.Error("the file is gone, and nobody says so")
	}
}

// The first key of all is the server's, though root adds it.
func TestFirstRotationByRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root makes files for others")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "keys")
	if _, err := Rotate(path, ""); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 12345 || info.Mode() != 0o600 {
		t.Errorf("user %d, mode %v", uid, info.Mode())
	}
}

// A rotation leaves the file to its owner, who could not read it else, and a link to it in place.
func TestRotationKeepsTheFilesOwner(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "keys"), filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Rotate(link, ""); err == nil {
		t.Error("a link to nothing is taken")
	}
	if err := os.WriteFile(path, []byte("a:"+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	owner := uint32(os.Getuid())
	if owner == 0 {
		owner = 12345
		if err := os.Chown(path, int(owner), int(owner)); err != nil {
			t.Skip("no other owner can be given: ", err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Rotate(link, ""); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != owner || info.Mode() != 0o400 {
		t.Errorf("user %d, want %d; mode %v", uid, owner, info.Mode())
	}
	if to, err := os.Readlink(link); err != nil || to != path {
		t.Errorf("the link: %q, %v", to, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a:" + secret)
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := parse(strings.NewReader(text)); err == nil && (len(l.entries) == 0 || len(l.byName) != len(l.entries)) {
			t.Errorf("%+v", l)
		}
	})
}
