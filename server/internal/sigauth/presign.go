package sigauth

import (
	"strconv"
	"strings"
	"time"

	"pail/server/internal/s3err"
)

const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential"
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token"

	// maxExpires is how long a presigned V4 URL may live: a week.
	maxExpires = 7 * 24 * 60 * 60
)

func queryError(message string) *s3err.Error {
	return s3err.New(s3err.AuthorizationQueryParametersError).WithMessage(message)
}

// presignedV4 authenticates a presigned URL.
func (v *Verifier) presignedV4(in *input) (Identity, *Payload, error) {
	c, lifetime, err := v.parsePresigned(in)
	if err != nil {
		return Identity{}, nil, err
	}
	if c.time.Sub(in.now) > MaxSkew {
		return Identity{}, nil, s3err.Newf(s3err.AccessDenied, "Request is not valid yet").
			With("X-Amz-Date", c.time.Format(isoBasic)).With("ServerTime", in.now.UTC().Format(isoMillis))
	}
	if at := c.time.Add(time.Duration(lifetime) * time.Second); lifetime == 0 || in.now.After(at) {
		return Identity{}, nil, in.expired(at, strconv.Itoa(lifetime))
	}
	return v.verifyV4(in, c, V4Presigned)
}

// parsePresigned reads the six parameters that a presigned URL must have, and the two that it may have.
func (v *Verifier) parsePresigned(in *input) (c claimV4, lifetime int, err error) {
	var values [6]string
	for i, name := range []string{paramAlgorithm, paramCredential, paramDate, paramExpires, paramSignedHeaders, paramSignature} {
		value, ok := in.query.get(name)
		if !ok || value == "" {
			return c, 0, queryError("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
				"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
		values[i] = value
	}
	c = claimV4{signature: values[5], omit: paramSignature, payloadHash: in.presignedHash()}
	if values[0] != algorithmV4 {
		return c, 0, queryError(`X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`)
	}
	if c.scope, err = v.parseScope(values[1], credentialMalformed); err != nil {
		return c, 0, err
	}
	if c.time, err = time.Parse(isoBasic, values[2]); err != nil {
		return c, 0, queryError(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	if err := c.scope.checkDate(c.time, credentialMalformed); err != nil {
		return c, 0, err
	}
	if lifetime, err = parseExpires(values[3]); err != nil {
		return c, 0, err
	}
	if c.headers, err = parseSignedHeaders(values[4]); err != nil {
		return c, 0, queryError("X-Amz-SignedHeaders is invalid.")
	}
	var once bool
	if c.token, once = in.query.get(paramToken); !once && in.query.has(paramToken) {
		return c, 0, queryError("X-Amz-Security-Token must be given once.")
	}
	return c, lifetime, nil
}

func parseExpires(s string) (int, error) {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil && !strings.HasPrefix(s, "-") && strings.Trim(s, "0123456789") == "", n > maxExpires:
		return 0, queryError("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be " +
			"less than 604800 seconds")
	case err != nil:
		return 0, queryError("X-Amz-Expires should be a number")
	case n < 0:
		return 0, queryError("X-Amz-Expires must be non-negative")
	}
	return n, nil
}

// presignedHash gives what stands for the payload in the canonical request of a presigned URL.
func (in *input) presignedHash() string {
	if h, ok := in.query.get(headerContentSHA256); ok && h != "" {
		return h
	}
	if h := in.http.Header.Get(headerContentSHA256); h != "" {
		return h
	}
	return unsignedPayload
}
