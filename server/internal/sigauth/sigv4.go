package sigauth

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"pail/server/internal/s3err"
)

const (
	algorithmV4         = "AWS4-HMAC-SHA256"
	headerContentSHA256 = "X-Amz-Content-Sha256"
	maxSignedHeaders    = 256
)

// claimV4 is what a request says of its V4 signature.
type claimV4 struct {
	scope       scope
	time        time.Time
	headers     []string // signed ones, lower case, in the order given
	signature   string   // hex
	payloadHash string
	token       string
	omit        string // query parameter that is not signed
}

// headerV4 authenticates a request with an Authorization header.
func (v *Verifier) headerV4(in *input) (Identity, *Payload, error) {
	c, err := v.parseAuthorization(in.http.Header.Get("Authorization"))
	if err != nil {
		return Identity{}, nil, err
	}
	t, sent, err := in.date()
	if err != nil {
		return Identity{}, nil, err
	}
	if err := in.checkSkew(t, sent); err != nil {
		return Identity{}, nil, err
	}
	if err := c.scope.checkDate(t, headerMalformed); err != nil {
		return Identity{}, nil, err
	}
	c.time = t.UTC()
	c.token = in.http.Header.Get("X-Amz-Security-Token")
	if c.payloadHash = in.http.Header.Get(headerContentSHA256); c.payloadHash == "" {
		return Identity{}, nil, s3err.Newf(s3err.InvalidRequest, "Missing required header for this request: x-amz-content-sha256")
	}
	return v.verifyV4(in, c, V4)
}

// parseAuthorization reads "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...".
func (v *Verifier) parseAuthorization(header string) (claimV4, error) {
	var c claimV4
	var credential, headers string
	for part := range strings.SplitSeq(strings.TrimPrefix(header, algorithmV4), ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		var field *string
		switch name {
		case "Credential":
			field = &credential
		case "SignedHeaders":
			field = &headers
		case "Signature":
			field = &c.signature
		}
		if !ok || field == nil || *field != "" {
			return c, headerMalformed("the authorization component %q is malformed.", part)
		}
		*field = strings.TrimSpace(value)
	}
	for _, f := range []struct{ name, value string }{
		{"Credential", credential}, {"SignedHeaders", headers}, {"Signature", c.signature},
	} {
		if f.value == "" {
			return c, headerMalformed("missing %s.", f.name)
		}
	}
	var err error
	if c.scope, err = v.parseScope(credential, headerMalformed); err != nil {
		return c, err
	}
	c.headers, err = parseSignedHeaders(headers)
	if err != nil {
		return c, headerMalformed("SignedHeaders is invalid.")
	}
	return c, nil
}

// parseSignedHeaders reads "host;x-amz-date". A name that comes twice is refused: each would add the whole value
// again to what is hashed.
func parseSignedHeaders(list string) ([]string, error) {
	names := strings.Split(list, ";")
	if ascending(names) && len(names) <= maxSignedHeaders {
		return names, nil
	}
	sorted := slices.Sorted(slices.Values(names))
	if len(names) > maxSignedHeaders || sorted[0] == "" || len(slices.Compact(sorted)) != len(names) {
		return nil, s3err.New(s3err.InvalidRequest)
	}
	return names, nil
}

// ascending reports whether the names are sorted, all different and none is empty, as clients send them.
func ascending(names []string) bool {
	last := ""
	for _, name := range names {
		if name <= last {
			return false
		}
		last = name
	}
	return true
}

// verifyV4 checks the signature itself.
func (v *Verifier) verifyV4(in *input, c claimV4, kind Kind) (Identity, *Payload, error) {
	if err := in.checkSigned(c); err != nil {
		return Identity{}, nil, err
	}
	cred, err := v.credential(c.scope.accessKey, c.token)
	if err != nil {
		return Identity{}, nil, err
	}
	paths, err := in.paths()
	if err != nil {
		return Identity{}, nil, err
	}
	key := v.signing.get(cred.SecretKey, c.scope)
	var failed *s3err.Error
	s := v.scratch.Get().(*scratch)
	defer v.scratch.Put(s)
	for _, path := range paths {
		s.canonical = in.appendCanonical(s.canonical[:0], path, c)
		s.toSign = c.appendStringToSign(s.toSign[:0], s.canonical)
		if key.matches(c.signature, s.toSign) {
			p, err := v.payload(in, c.payloadHash, newChunkSigner(key.raw, c))
			if err != nil {
				return Identity{}, nil, err
			}
			return identity(cred, kind), p, nil
		}
		if failed == nil {
			failed = mismatch(c.scope.accessKey, c.signature, s.toSign, s.canonical)
		}
	}
	return Identity{}, nil, failed
}

// scratch is the memory that a signature is checked in.
type scratch struct{ canonical, toSign []byte }

// checkSigned demands that host and every x-amz-* header are signed.
func (in *input) checkSigned(c claimV4) error {
	if !slices.Contains(c.headers, "host") {
		return notSigned([]string{"host"})
	}
	var missing []string
	for name := range in.http.Header {
		if len(name) < 6 || !strings.EqualFold(name[:6], "x-amz-") {
			continue
		}
		if !slices.ContainsFunc(c.headers, func(signed string) bool { return strings.EqualFold(signed, name) }) {
			missing = append(missing, strings.ToLower(name))
		}
	}
	if missing != nil {
		slices.Sort(missing)
		return notSigned(missing)
	}
	return nil
}

func notSigned(names []string) *s3err.Error {
	return s3err.Newf(s3err.AccessDenied, "There were headers present in the request which were not signed").
		With("HeadersNotSigned", strings.Join(names, ", "))
}

// appendCanonical appends the canonical request.
func (in *input) appendCanonical(dst []byte, path string, c claimV4) []byte {
	dst = append(append(dst, in.http.Method...), '\n')
	dst = append(append(dst, path...), '\n')
	dst = append(in.query.appendCanonical(dst, c.omit), '\n')
	for _, name := range c.headers {
		dst = append(append(dst, name...), ':')
		dst = append(append(dst, in.signedValue(name)...), '\n')
	}
	dst = append(dst, '\n')
	for i, name := range c.headers {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(dst, name...)
	}
	return append(append(dst, '\n'), c.payloadHash...)
}

func (c claimV4) appendStringToSign(dst, canonical []byte) []byte {
	sum := sha256.Sum256(canonical)
	dst = append(dst, algorithmV4+"\n"...)
	dst = c.time.AppendFormat(dst, isoBasic)
	dst = append(c.scope.append(append(dst, '\n')), '\n')
	return hex.AppendEncode(dst, sum[:])
}
