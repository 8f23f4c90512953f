package creds

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"pail/s3client"
)

// awsFiles takes the default profile, or AWS_PROFILE's, if the files have it.
func (f *finder) awsFiles() (found, error) {
	name, by := "default", ""
	if v := f.Env("AWS_PROFILE"); v != "" {
		name, by = v, "environment variable AWS_PROFILE"
	}
	paths := f.awsPaths()
	if len(paths) == 0 {
		f.skip("~/.aws/credentials", "there is no home directory")
		return found{}, nil
	}
	has, err := hasProfile(paths, name)
	switch {
	case err != nil:
		return found{}, err
	case has:
		return found{f.watch(name, paths), "profile " + name + " of " + paths[0]}, nil
	case by != "":
		return found{}, f.noProfile(name, by, paths)
	}
	f.skip(paths[0], "no profile "+name)
	return found{}, nil
}

// profile takes a profile that somebody asked for.
func (f *finder) profile(name, by string) (found, error) {
	paths := f.awsPaths()
	if len(paths) == 0 {
		return found{}, fmt.Errorf("%s=%s: there is no home directory with ~/.aws/credentials", by, name)
	}
	has, err := hasProfile(paths, name)
	if err != nil {
		return found{}, err
	}
	if !has {
		return found{}, f.noProfile(name, by, paths)
	}
	return found{f.watch(name, paths), "profile " + name + " of " + paths[0]}, nil
}

func (f *finder) noProfile(name, by string, paths []string) error {
	return fmt.Errorf("there is no profile %q in %s (%s)", name, strings.Join(paths, " or "), by)
}

// awsPaths are the AWS files: of credentials, and of configuration.
func (f *finder) awsPaths() []string {
	var paths []string
	for _, file := range []struct{ variable, name string }{
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials"}, {"AWS_CONFIG_FILE", "config"},
	} {
		if path := f.Env(file.variable); path != "" {
			paths = append(paths, path)
		} else if f.Home != "" {
			paths = append(paths, filepath.Join(f.Home, ".aws", file.name))
		}
	}
	return paths
}

// Words that say how a profile gets its credentials: without one of them it holds settings only.
func givesCredentials(setting string) bool {
	switch setting {
	case "aws_access_key_id", "credential_process", "role_arn", "sso_start_url", "sso_session", "web_identity_token_file",
		"login_session":
		return true
	}
	return false
}

// hasProfile reports whether one of the files has a section of that name which gives credentials. Files that are not there or
// may not be read have none.
func hasProfile(paths []string, name string) (bool, error) {
	for _, path := range paths {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return false, err
		}
		has, err := scanProfile(file, name)
		if err := errors.Join(err, file.Close()); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		if has {
			return true, nil
		}
	}
	return false, nil
}

// scanProfile looks for the section [name], or [profile name] as in the configuration file.
func scanProfile(file *os.File, name string) (bool, error) {
	inside := false
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if section, ok := strings.CutPrefix(line, "["); ok {
			section, _, _ = strings.Cut(section, "]")
			section = strings.TrimSpace(section)
			rest, typed := strings.CutPrefix(section, "profile")
			inside = section == name || typed && rest != strings.TrimSpace(rest) && strings.TrimSpace(rest) == name
			continue
		}
		setting, _, ok := strings.Cut(line, "=")
		if inside && ok && givesCredentials(strings.ToLower(strings.TrimSpace(setting))) {
			return true, nil
		}
	}
	return false, lines.Err()
}

// watch makes the provider of a profile, which reads the files again when they change.
func (f *finder) watch(name string, paths []string) s3client.CredentialsProvider {
	w := &watcher{next: f.AWS(name), paths: paths}
	w.mu.states = w.look()
	return w
}

// watcher invalidates a provider when the files that it reads change.
type watcher struct {
	next  s3client.CredentialsProvider
	paths []string
	mu    struct {
		sync.Mutex
		states []fileState // in the order of paths
	}
}

func (w *watcher) Retrieve(ctx context.Context) (s3client.Credentials, error) {
	if w.changed() {
		w.next.Invalidate()
	}
	return w.next.Retrieve(ctx)
}

func (w *watcher) Invalidate() { w.next.Invalidate() }

// Refused implements s3client.CredentialsRefuser where the provider below does.
func (w *watcher) Refused(creds s3client.Credentials) {
	if p, ok := w.next.(s3client.CredentialsRefuser); ok {
		p.Refused(creds)
	} else {
		w.next.Invalidate()
	}
}

func (w *watcher) look() []fileState {
	states := make([]fileState, len(w.paths))
	for i, path := range w.paths {
		states[i] = stateOf(path)
	}
	return states
}

func (w *watcher) changed() bool {
	now := w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	changed := false
	for i := range now {
		changed = changed || !now[i].same(w.mu.states[i])
	}
	w.mu.states = now
	return changed
}
