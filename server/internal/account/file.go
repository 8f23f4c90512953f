package account

import (
	"log/slog"

	"pail/server/internal/sigauth"
	"pail/server/internal/smallfile"
)

// File is an accounts file that follows its changes. It is safe for concurrent use.
type File struct{ file *smallfile.Watched[*Set] }

// Open reads the file at path. It fails where the file cannot be read, may be used by others than its owner, or is no
// accounts file. log is told of later versions that cannot be used; nil discards.
func Open(path string, log *slog.Logger) (*File, error) {
	f, err := smallfile.Open(path, "accounts file", Parse, log)
	if err != nil {
		return nil, err
	}
	return &File{f}, nil
}

// Lookup finds the credential of an access key.
func (f *File) Lookup(accessKey string) (sigauth.Credential, bool) {
	return f.file.Current().Lookup(accessKey)
}

// ByID finds an account by its number or its canonical id.
func (f *File) ByID(id string) (Account, bool) { return f.file.Current().ByID(id) }

// HasUser reports whether a user of an account has that ARN.
func (f *File) HasUser(arn string) bool { return f.file.Current().HasUser(arn) }

// ByEmail finds an account by its address.
func (f *File) ByEmail(address string) (Account, bool) { return f.file.Current().ByEmail(address) }
