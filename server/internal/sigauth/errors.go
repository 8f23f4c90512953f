package sigauth

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"time"

	"pail/server/internal/s3err"
)

const isoMillis = "2006-01-02T15:04:05.000Z"

// equal compares secrets in constant time.
func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

func invalidArgument(name, value, message string) *s3err.Error {
	return s3err.New(s3err.InvalidArgument).WithMessage(message).With("ArgumentName", name).With("ArgumentValue", value)
}

func onlyOne(auth string) *s3err.Error {
	return invalidArgument("Authorization", auth, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "+
		"Signature query string parameter or the Authorization header should be specified")
}

// mismatch says what was signed here, so that the client's author can compare.
func mismatch(accessKey, provided string, toSign, canonical []byte) *s3err.Error {
	e := s3err.New(s3err.SignatureDoesNotMatch).With("AWSAccessKeyId", accessKey).With("StringToSign", string(toSign)).
		With("SignatureProvided", provided).With("StringToSignBytes", spacedHex(toSign))
	if canonical != nil {
		e = e.With("CanonicalRequest", string(canonical)).With("CanonicalRequestBytes", spacedHex(canonical))
	}
	return e
}

func spacedHex(p []byte) string {
	out := make([]byte, 0, 3*len(p))
	for i := range p {
		out = append(hex.AppendEncode(out, p[i:i+1]), ' ')
	}
	return string(out[:max(0, len(out)-1)])
}

func badDate() *s3err.Error {
	return s3err.Newf(s3err.AccessDenied, "AWS authentication requires a valid Date or x-amz-date header")
}

// checkSkew compares the time of a request with ours. sent is the text that the client gave.
func (in *input) checkSkew(t time.Time, sent string) error {
	if d := in.now.Sub(t); d <= MaxSkew && d >= -MaxSkew {
		return nil
	}
	return s3err.New(s3err.RequestTimeTooSkewed).With("RequestTime", sent).
		With("ServerTime", in.now.UTC().Format("2006-01-02T15:04:05Z")).
		With("MaxAllowedSkewMilliseconds", strconv.FormatInt(MaxSkew.Milliseconds(), 10))
}

func (in *input) expired(at time.Time, lifetime string) *s3err.Error {
	e := s3err.Newf(s3err.AccessDenied, "Request has expired")
	if lifetime != "" {
		e = e.With("X-Amz-Expires", lifetime)
	}
	return e.With("Expires", at.UTC().Format(isoMillis)).With("ServerTime", in.now.UTC().Format(isoMillis))
}

// bodyError names a body that ended early. Every other error passes unchanged.
func bodyError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return s3err.New(s3err.IncompleteBody).Wrap(err)
	}
	return err
}
