package opt_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pail/cmd/internal/opt"
)

func secretFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCustomerKeysAreReadAsS3fsReadsThem(t *testing.T) {
	k1, k2 := strings.Repeat("1", 32), strings.Repeat("\x02", 32)
	encoded := base64.StdEncoding.EncodeToString([]byte(k2))
	file := secretFile(t, "# new\n"+k1+"\n\n"+encoded+"\n", 0o600)
	keys, err := opt.SSE{Mode: "C", KeyFile: file, ReadFiles: []string{secretFile(t, encoded, 0o400)}}.CustomerKeys()
	if err != nil || len(keys) != 3 || string(keys[0]) != k1 || string(keys[1]) != k2 || string(keys[2]) != k2 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if keys, err := (opt.SSE{Mode: "C", Keys: opt.Secrets{opt.Secret(k1)}}).CustomerKeys(); err != nil || len(keys) != 1 {
		t.Errorf("from the environment: %d keys, %v", len(keys), err)
	}
	if keys, err := (opt.SSE{Mode: "S3", KeyFile: "/missing"}).CustomerKeys(); keys != nil || err != nil {
		t.Errorf("not SSE-C: %d keys, %v", len(keys), err)
	}
	for text, want := range map[string]string{
		"\nhushhush":                     "line 2: has 8 bytes, not 32",
		strings.Repeat("hushhush*", 8):   "not base64",
		"# nothing":                      "holds no key",
		strings.Repeat("h", maxSecret+1): "longer than 64 KiB",
		base64.StdEncoding.EncodeToString([]byte(k1 + k1)): "has 64 bytes",
	} {
		_, err := opt.SSE{Mode: "C", KeyFile: secretFile(t, text, 0o600)}.CustomerKeys()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hushhush") {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	for path, want := range map[string]string{
		secretFile(t, k1, 0o640): "chmod 600", t.TempDir(): "", "/no/such/file": "no such file",
	} {
		if _, err := (opt.SSE{Mode: "C", KeyFile: path}).CustomerKeys(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := (opt.SSE{Mode: "C", Keys: opt.Secrets{"hushhush"}}).CustomerKeys(); err == nil || strings.Contains(err.Error(), "hushhush") {
		t.Errorf("bad variable: %v", err)
	}
}

const maxSecret = 64 << 10

func TestProxyCredentialsJoinTheURL(t *testing.T) {
	m := opt.Mount{Proxy: "http://h:3128", ProxyCredFile: secretFile(t, "us%65r:p%40ss\n", 0o600)}
	if got, err := m.ProxyURL(); err != nil || got != "http://user:p%40ss@h:3128" {
		t.Errorf("%q %v", got, err)
	}
	m.ProxyCredFile = secretFile(t, "hushhush", 0o600)
	if _, err := m.ProxyURL(); err == nil || strings.Contains(err.Error(), "hushhush") {
		t.Errorf("malformed: %v", err)
	}
	m.ProxyCredFile = secretFile(t, "u:p", 0o644)
	if _, err := m.ProxyURL(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("open file: %v", err)
	}
	m.ProxyCredFile = ""
	if got, err := m.ProxyURL(); err != nil || got != m.Proxy {
		t.Errorf("no file: %q %v", got, err)
	}
}
