package awss3

import (
	"log/slog"
	"net/http"
	"time"

	"pail/s3client"
)

// DefaultEndpoint is AWS.
const DefaultEndpoint = "https://s3.amazonaws.com"

// Options of a Client. Only Bucket is required.
type Options struct {
	Bucket string

	// Endpoint is "http://host[:port][/path]" or "https://...", without the bucket; "" means DefaultEndpoint.
	Endpoint string
	// Fallbacks are further endpoints of the same service, of the same form. When one does not answer, or cannot serve,
	// the next one is asked.
	Fallbacks []string
	// ServicePath is put between host and bucket, as "/s3".
	ServicePath string
	// PathStyle puts the bucket into the path. Without it the bucket goes into the host name, except where that cannot
	// work: an endpoint that is an IP address or a single label, or a bucket name that is no DNS label.
	PathStyle bool
	// Region is part of the signature; "" means us-east-1, or the one that the service names when it is another.
	Region string
	// Credentials sign the requests; nil means Anonymous.
	Credentials s3client.CredentialsProvider
	// SigV2 signs with the old signature version 2, for old services.
	SigV2 bool

	// ProbePrefix is where Probe looks and writes, for credentials that are limited to a prefix: "" or "a/b/".
	ProbePrefix string
	// ReadOnly keeps Probe from writing its probe object.
	ReadOnly bool

	// UserAgent is sent as it is; "" sends "pail".
	UserAgent string
	// RequesterPays accepts the costs of requests to another account's bucket.
	RequesterPays bool
	// ACL is the canned ACL of new objects, StorageClass their storage class; "" leaves them to the service.
	ACL, StorageClass string
	// Encryption asks for server-side encryption.
	Encryption Encryption
	// Headers, if not nil, returns further headers for a request; op is one of s3client's Op names. They are signed.
	// Names must be canonical (http.CanonicalHeaderKey). It must be safe for concurrent use.
	Headers func(op, key string) http.Header

	// ListV1 lists with the first version of the request, for services that lack the second.
	ListV1 bool
	// UnsignedPayload never hashes bodies for the signature, SignedPayload always does; by default see the package.
	UnsignedPayload, SignedPayload bool
	// ContentMD5 sends the MD5 of every body, so that the ETags of parts are MD5s wherever services have such.
	ContentMD5 bool
	// NoChecksum sends no x-amz-checksum headers and asks for none.
	NoChecksum bool

	HTTP HTTPOptions

	Log *slog.Logger     // nil discards; one debug line for each request
	Now func() time.Time // nil means time.Now; dates of signatures
}

// HTTPOptions are about connections. The zero value verifies certificates against the system's roots.
type HTTPOptions struct {
	// CABundle is a PEM file whose certificates are trusted instead of the system's.
	CABundle string
	// InsecureSkipVerify accepts every certificate; SkipVerifyHostname a trusted one of any name.
	InsecureSkipVerify, SkipVerifyHostname bool
	// ClientCert and ClientKey are PEM files; ClientKey "" means that ClientCert holds both.
	ClientCert, ClientKey string
	// Proxy is a URL, which may hold user and password; "" means what the environment says (HTTPS_PROXY, NO_PROXY ...).
	Proxy string
	// IPVersion limits addresses to those of version 4 or 6; 0 means both.
	IPVersion int
	// ConnectTimeout bounds dialing and the TLS handshake; 0 means 30 s.
	ConnectTimeout time.Duration
	// ReadWriteTimeout bounds the time without progress; 0 means 120 s.
	ReadWriteTimeout time.Duration
}
