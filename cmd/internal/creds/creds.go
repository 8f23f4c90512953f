package creds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"pail/s3client"
	"pail/s3client/awss3"
)

// Query says whose credentials are wanted, and where to look.
type Query struct {
	Bucket       string
	Public       bool   // option public_bucket
	IAMRole      string // option iam_role; "auto" is the instance's only one
	IMDSv1Only   bool
	ECS          bool
	PasswdFile   string // option passwd_file
	Profile      string // option profile; "" is "default"
	RequireToken bool   // option use_session_token

	Env  func(name string) string // nil means os.Getenv
	Home string                   // home directory; "": there is none
	Etc  string                   // "" means /etc
	Log  *slog.Logger             // told when a file that is in use turns bad; nil discards

	// AWS makes the provider of a profile; nil means awss3.Profile.
	AWS func(profile string) s3client.CredentialsProvider
}

// NotFoundError says that no place has credentials. It matches s3client.ErrCredentials.
type NotFoundError struct {
	Bucket string
	Looked []string // places, each with the reason in parentheses
}

// Error is one line with every place and what to do.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no credentials for bucket %s; looked at %s. Write ACCESS_KEY:SECRET_KEY into a file, chmod 600 it, "+
		"and mount with -o passwd_file=FILE, or name it ~/.passwd-pail; -o public_bucket mounts without credentials",
		e.Bucket, strings.Join(e.Looked, ", "))
}

// Is matches s3client.ErrCredentials, and ErrAccess as that does.
func (e *NotFoundError) Is(target error) bool {
	return target == s3client.ErrCredentials || target == s3client.ErrAccess
}

// finder goes through the places.
type finder struct {
	Query
	looked []string
}

// found is what a place has; a nil provider means nothing.
type found struct {
	provider s3client.CredentialsProvider
	source   string
}

// Resolve returns the provider of the first place that has credentials, and that place in words for messages. It asks
// no service: credentials of roles and profiles are fetched at the first Retrieve. Errors are one line for the user and
// hold no secret.
func Resolve(q Query) (provider s3client.CredentialsProvider, source string, err error) {
	if q.Env == nil {
		q.Env = os.Getenv
	}
	if q.Etc == "" {
		q.Etc = "/etc"
	}
	if q.Log == nil {
		q.Log = slog.New(slog.DiscardHandler)
	}
	if q.AWS == nil {
		q.AWS = awss3.Profile
	}
	f := &finder{Query: q}
	for _, place := range []func() (found, error){f.options, f.environment, f.credentialFile, f.awsFiles, f.passwdFiles} {
		at, err := place()
		if err != nil {
			return nil, "", err
		}
		if at.provider != nil {
			return f.withToken(at), at.source, nil
		}
	}
	return nil, "", &NotFoundError{Bucket: q.Bucket, Looked: f.looked}
}

func (f *finder) skip(place, why string) { f.looked = append(f.looked, place+" ("+why+")") }

// options are the places that only an option opens.
func (f *finder) options() (found, error) {
	switch {
	case f.Public:
		return found{awss3.Anonymous(), "none (option public_bucket)"}, nil
	case f.IAMRole != "":
		role := awss3.InstanceRole{Name: f.IAMRole, V1Only: f.IMDSv1Only}
		return found{awss3.IAMRole(role), "the instance's role (option iam_role=" + f.IAMRole + ")"}, nil
	case f.ECS:
		provider, err := awss3.Container(f.Env)
		if err != nil {
			return found{}, fmt.Errorf("option ecs: %w", err)
		}
		return found{provider, "the container's role (option ecs)"}, nil
	case f.PasswdFile != "":
		return f.named(f.PasswdFile, "option passwd_file")
	case f.Profile != "" && f.Profile != "default":
		return f.profile(f.Profile, "option profile")
	}
	f.skip("option passwd_file", "not given")
	return found{}, nil
}

// environment takes keys from variables.
func (f *finder) environment() (found, error) {
	access, accessName := f.variable("AWS_ACCESS_KEY_ID", "AWSACCESSKEYID")
	secret, secretName := f.variable("AWS_SECRET_ACCESS_KEY", "AWSSECRETACCESSKEY")
	token, _ := f.variable("AWS_SESSION_TOKEN", "AWSSESSIONTOKEN")
	switch {
	case access == "" && secret == "":
		f.skip("environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "not set")
		return found{}, nil
	case secret == "":
		return found{}, fmt.Errorf("environment variable %s is set, but %s is not: set both or none", accessName, secretName)
	case access == "":
		return found{}, fmt.Errorf("environment variable %s is set, but %s is not: set both or none", secretName, accessName)
	case token == "" && f.RequireToken:
		return found{}, errors.New("environment variable AWS_SESSION_TOKEN is not set, but option use_session_token asks for it")
	}
	return found{awss3.Static(access, secret, token), "environment variables " + accessName + " and " + secretName}, nil
}

// variable returns the first of the named variables that is set, or the first name.
func (f *finder) variable(names ...string) (value, name string) {
	for _, name := range names {
		if v := f.Env(name); v != "" {
			return v, name
		}
	}
	return "", names[0]
}

// credentialFile is the passwd file that a variable names.
func (f *finder) credentialFile() (found, error) {
	const name = "AWS_CREDENTIAL_FILE"
	if path := f.Env(name); path != "" {
		return f.named(path, "environment variable "+name)
	}
	f.skip("file named by "+name, "not set")
	return found{}, nil
}

// passwdFiles are the files in their usual places.
func (f *finder) passwdFiles() (found, error) {
	var paths []string
	for _, dir := range []struct{ path, dot string }{{f.Home, "."}, {f.Etc, ""}} {
		if dir.path != "" {
			paths = append(paths, filepath.Join(dir.path, dir.dot+"passwd-pail"), filepath.Join(dir.path, dir.dot+"passwd-s3fs"))
		}
	}
	for _, path := range paths {
		if at, err := f.usual(path); at.provider != nil || err != nil {
			return at, err
		}
	}
	return found{}, nil
}

// withToken lets credentials through only with a session token, where that was asked for.
func (f *finder) withToken(at found) s3client.CredentialsProvider {
	if !f.RequireToken || f.Public {
		return at.provider
	}
	return tokenRequired{at.provider, at.source}
}

type tokenRequired struct {
	s3client.CredentialsProvider
	source string
}

func (t tokenRequired) Retrieve(ctx context.Context) (s3client.Credentials, error) {
	creds, err := t.CredentialsProvider.Retrieve(ctx)
	if err == nil && creds.SessionToken == "" {
		return s3client.Credentials{}, fmt.Errorf("%w: %s holds no session token, but option use_session_token asks for one",
			s3client.ErrCredentials, t.source)
	}
	return creds, err
}
