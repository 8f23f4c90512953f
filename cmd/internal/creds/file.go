package creds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"pail/cmd/internal/passwd"
	"pail/s3client"
)

// named opens a passwd file that somebody asked for: it must be there and fit.
func (f *finder) named(path, by string) (found, error) {
	file, err := f.open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found{}, fmt.Errorf("passwd file %s is not there (%s)", path, by)
	case errors.Is(err, fs.ErrPermission):
		return found{}, fmt.Errorf("passwd file %s may not be read by this user (%s)", path, by)
	case err != nil:
		return found{}, fmt.Errorf("%w (%s)", err, by)
	}
	if _, ok := file.Lookup(f.Bucket); !ok {
		return found{}, fmt.Errorf("passwd file %s has no credentials for bucket %s and no default ones: add a line ACCESS_KEY:SECRET_KEY (%s)",
			path, f.Bucket, by)
	}
	return found{fileProvider{file, f.Bucket}, by + "=" + path}, nil
}

// usual opens a passwd file that may be there.
func (f *finder) usual(path string) (found, error) {
	file, err := f.open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.skip(path, "not there")
		return found{}, nil
	case errors.Is(err, fs.ErrPermission):
		f.skip(path, "may not be read by this user")
		return found{}, nil
	case err != nil:
		return found{}, err
	}
	if _, ok := file.Lookup(f.Bucket); !ok {
		f.skip(path, "has no line for the bucket and no default one")
		return found{}, nil
	}
	return found{fileProvider{file, f.Bucket}, path}, nil
}

func (f *finder) open(path string) (*passwd.File, error) {
	return passwd.OpenFile(path, passwd.Options{OnError: func(err error) {
		f.Log.Warn("passwd file cannot be read again; the credentials read before stay in use", "file", path, "error", err)
	}})
}

// fileProvider takes credentials from a passwd file as it is at each request.
type fileProvider struct {
	file   *passwd.File
	bucket string
}

func (p fileProvider) Retrieve(context.Context) (s3client.Credentials, error) {
	e, ok := p.file.Lookup(p.bucket)
	if !ok {
		return s3client.Credentials{}, fmt.Errorf("%w: passwd file %s has no credentials for bucket %s any more",
			s3client.ErrCredentials, p.file.Path(), p.bucket)
	}
	return s3client.Credentials{AccessKey: e.AccessKey, SecretKey: e.SecretKey}, nil
}

// Invalidate has nothing to drop: the file is looked at for each Retrieve.
func (p fileProvider) Invalidate() {}

// fileState tells whether a file changed; the zero value is that of no file.
type fileState struct {
	modified int64
	size     int64
	file     fs.FileInfo
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{modified: info.ModTime().UnixNano(), size: info.Size(), file: info}
}

func (s fileState) same(o fileState) bool {
	if s.file == nil || o.file == nil {
		return s.file == nil && o.file == nil
	}
	return s.modified == o.modified && s.size == o.size && os.SameFile(s.file, o.file)
}
