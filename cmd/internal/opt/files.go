package opt

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// maxSecretFile bounds the files with keys or passwords.
const maxSecretFile = 64 << 10

// CustomerKeys reads the keys of SSE-C, 32 bytes each. The first one is for writing, all are for reading. A line of
// a file is a key as it is when it has 32 bytes or less, else in base64, as in s3fs; empty lines and "#" do not count.
// Errors name the file and the line, and hold no key. Without SSE-C there are none.
func (s SSE) CustomerKeys() ([][]byte, error) {
	if s.Mode != "C" {
		return nil, nil
	}
	var keys [][]byte
	for i, secret := range s.Keys {
		key, err := customerKey(string(secret))
		if err != nil {
			return nil, fmt.Errorf("environment variable AWSSSECKEYS, key %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	files := s.ReadFiles
	if s.KeyFile != "" {
		files = append([]string{s.KeyFile}, files...)
	}
	for _, file := range files {
		more, err := keysOfFile(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	}
	return keys, nil
}

func keysOfFile(path string) ([][]byte, error) {
	text, err := readSecret("SSE-C key file", path)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := customerKey(line)
		if err != nil {
			return nil, fmt.Errorf("SSE-C key file %s, line %d: %w", path, n, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("SSE-C key file %s holds no key", path)
	}
	return keys, lines.Err()
}

func customerKey(line string) ([]byte, error) {
	const size = 32
	key := []byte(line)
	if len(line) > size {
		var err error
		if key, err = base64.StdEncoding.DecodeString(line); err != nil {
			return nil, errors.New("is longer than 32 bytes and not base64")
		}
	}
	if len(key) != size {
		return nil, fmt.Errorf("has %d bytes, not 32", len(key))
	}
	return key, nil
}

// ProxyURL returns the proxy with the user and password of proxy_cred_file. The result is a secret. "" means that the
// environment decides.
func (m *Mount) ProxyURL() (string, error) {
	if m.ProxyCredFile == "" {
		return m.Proxy, nil
	}
	text, err := readSecret("proxy credentials file", m.ProxyCredFile)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	user, password, ok := strings.Cut(strings.TrimSpace(line), ":")
	name, err1 := url.QueryUnescape(user)
	pass, err2 := url.QueryUnescape(password)
	proxy, err3 := url.Parse(m.Proxy)
	if !ok || err1 != nil || err2 != nil || err3 != nil {
		return "", fmt.Errorf("proxy credentials file %s: the first line must be USER:PASSWORD, both URL-encoded", m.ProxyCredFile)
	}
	proxy.User = url.UserPassword(name, pass)
	return proxy.String(), nil
}

// readSecret reads a file that nobody but its owner may use.
func readSecret(what, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	switch perm := info.Mode().Perm(); {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s %s is not a regular file", what, path)
	case perm&0o077 != 0:
		return nil, fmt.Errorf("%s %s is open to others (mode %04o): chmod 600 %s", what, path, perm, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if len(text) > maxSecretFile {
		return nil, fmt.Errorf("%s %s is longer than %d KiB", what, path, maxSecretFile>>10)
	}
	return text, nil
}
