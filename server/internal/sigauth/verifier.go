package sigauth

import (
	"bufio"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"pail/server/internal/s3err"
)

// MaxSkew is how far the clock of a client may be off.
const MaxSkew = 15 * time.Minute

// Credential is one pair of keys and whom it belongs to.
type Credential struct {
	AccessKey    string
	SecretKey    string
	SessionToken string // of temporary credentials; requests must then carry it
	Account      string // name to show
	CanonicalID  string
	AccountID    string // 12 digits
	ARN          string // of the account, or of the user in it
	User         string // in the account, "" for the account itself
}

// LogValue keeps the secrets out of logs.
func (c Credential) LogValue() slog.Value {
	return slog.GroupValue(slog.String("access_key", c.AccessKey), slog.String("account", c.Account))
}

// String keeps the secrets out of messages.
func (c Credential) String() string { return "credential " + c.AccessKey }

// GoString keeps the secrets out of %#v.
func (c Credential) GoString() string { return c.String() }

// Keys finds credentials. Lookup is called concurrently and once for each request; it should not block.
type Keys interface {
	Lookup(accessKey string) (Credential, bool)
}

// Kind is how a request was authenticated.
type Kind string

// The ways to sign a request. An anonymous request has the Kind "".
const (
	V4          Kind = "V4"
	V4Presigned Kind = "V4-presigned"
	V2          Kind = "V2"
	V2Presigned Kind = "V2-presigned"
)

// Identity is who sent a request. Its Credential has no SecretKey and no SessionToken.
type Identity struct {
	Credential
	Anonymous bool
	Signature Kind
}

// Options are the parts of a Verifier.
type Options struct {
	Keys    Keys             // nil knows no credentials
	Region  string           // that requests must be signed for; "" accepts any
	Domains []string         // hosts below which the first labels are a bucket (virtual-host style); V2 signs the bucket
	Now     func() time.Time // nil means time.Now
}

// Verifier authenticates requests. It is safe for concurrent use.
type Verifier struct {
	keys    Keys
	region  string
	domains []string // each with a leading dot, in lower case
	now     func() time.Time
	signing *keyCache
	buffers *sync.Pool // of *bufio.Reader, for chunked bodies
	scratch sync.Pool  // of *scratch
}

// New makes a Verifier.
func New(opt Options) *Verifier {
	v := &Verifier{keys: opt.Keys, region: opt.Region, now: opt.Now, signing: newKeyCache()}
	if v.now == nil {
		v.now = time.Now
	}
	for _, d := range opt.Domains {
		v.domains = append(v.domains, "."+strings.ToLower(strings.Trim(d, ".")))
	}
	v.scratch.New = func() any { return &scratch{make([]byte, 0, 1024), make([]byte, 0, 256)} }
	v.buffers = &sync.Pool{New: func() any { return bufio.NewReaderSize(nil, chunkBuffer) }}
	return v
}

// StillValid reports whether an identity that was authenticated has its access key still.
func (v *Verifier) StillValid(id Identity) bool {
	if id.Anonymous {
		return true
	}
	c, ok := v.keys.Lookup(id.AccessKey)
	return ok && identity(c, id.Signature) == id
}

// Authenticate checks the request's signature. It reads nothing of the body: that is the Payload's part. r must be as
// net/http's server made it. The error is an *s3err.Error.
func (v *Verifier) Authenticate(r *http.Request) (Identity, *Payload, error) {
	rawPath, rawQuery := target(r)
	query, err := parseQuery(rawQuery)
	if err != nil {
		return Identity{}, nil, err
	}
	in := &input{http: r, path: rawPath, query: query, now: v.now()}
	kind, err := in.kind()
	if err != nil {
		return Identity{}, nil, err
	}
	switch kind {
	case V4:
		return v.headerV4(in)
	case V4Presigned:
		return v.presignedV4(in)
	case V2:
		return v.headerV2(in)
	case V2Presigned:
		return v.presignedV2(in)
	}
	p, err := v.payload(in, in.http.Header.Get(headerContentSHA256), nil)
	if err != nil {
		return Identity{}, nil, err
	}
	return Identity{Anonymous: true}, p, nil
}

// input is a request with its target taken apart.
type input struct {
	http  *http.Request
	path  string // raw, never empty
	query params
	now   time.Time
}

// kind finds the one way in which the request is authenticated.
func (in *input) kind() (Kind, error) {
	var found []Kind
	auth := in.http.Header.Values("Authorization")
	if len(auth) > 1 {
		return "", onlyOne(auth[0])
	}
	if len(auth) == 1 && auth[0] != "" {
		k, err := schemeOf(auth[0])
		if err != nil {
			return "", err
		}
		found = append(found, k)
	}
	if in.query.has(paramAlgorithm) || in.query.has(paramSignature) || in.query.has(paramCredential) {
		found = append(found, V4Presigned)
	}
	if in.query.has(paramV2Signature) || in.query.has(paramV2Key) {
		found = append(found, V2Presigned)
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", onlyOne(in.http.Header.Get("Authorization"))
}

func schemeOf(auth string) (Kind, error) {
	scheme, _, _ := strings.Cut(auth, " ")
	switch scheme {
	case algorithmV4:
		return V4, nil
	case "AWS":
		return V2, nil
	case "AWS4-ECDSA-P256-SHA256":
		return "", s3err.Newf(s3err.NotImplemented, "Signature Version 4A is not implemented. Please use %s.", algorithmV4)
	}
	return "", invalidArgument("Authorization", scheme, "Unsupported Authorization Type")
}

// credential finds the keys of a request and checks the session token that came with it.
func (v *Verifier) credential(accessKey, token string) (Credential, error) {
	var c Credential
	var ok bool
	if v.keys != nil && accessKey != "" {
		c, ok = v.keys.Lookup(accessKey)
	}
	if !ok || c.SecretKey == "" {
		return Credential{}, s3err.New(s3err.InvalidAccessKeyId).With("AWSAccessKeyId", accessKey)
	}
	if c.SessionToken != "" && token == "" {
		return Credential{}, s3err.New(s3err.InvalidAccessKeyId).With("AWSAccessKeyId", accessKey)
	}
	if !equal(c.SessionToken, token) {
		return Credential{}, s3err.New(s3err.InvalidToken)
	}
	return c, nil
}

func identity(c Credential, k Kind) Identity {
	c.SecretKey, c.SessionToken = "", ""
	return Identity{Credential: c, Signature: k}
}
