package s3client

import (
	"context"
	"time"
)

// Credentials sign requests. They print without their secrets.
type Credentials struct {
	AccessKey    string
	SecretKey    string
	SessionToken string    // "" for long-lived keys
	Expires      time.Time // zero: never
	Anonymous    bool      // requests are not signed; the other fields are empty
}

// String names the access key only.
func (c Credentials) String() string {
	if c.Anonymous {
		return "anonymous"
	}
	return "credentials of " + c.AccessKey
}

// GoString keeps the secrets out of %#v.
func (c Credentials) GoString() string { return c.String() }

// CredentialsProvider is a source of credentials. Both methods are safe for concurrent use.
type CredentialsProvider interface {
	// Retrieve returns credentials that are valid now. A provider with a source to ask keeps the answer and renews
	// it before it expires; the error matches ErrCredentials when the source answered that there are none.
	Retrieve(ctx context.Context) (Credentials, error)

	// Invalidate drops what is kept, because the service refused it: the next Retrieve asks the source again.
	Invalidate()
}

// CredentialsRefuser is what a CredentialsProvider may be besides: one that drops what it keeps only if that is what the
// service refused. Of many requests that are refused at once, the first makes the source be asked again.
type CredentialsRefuser interface {
	Refused(Credentials)
}
