package sigauth

import (
	"strings"
	"time"

	"pail/server/internal/s3err"
)

const (
	service    = "s3"
	terminator = "aws4_request"
	scopeDate  = "20060102"
)

// scope is what a V4 signing key is made for.
type scope struct {
	accessKey, date, region string
}

// String gives the credential scope, without the access key.
func (s scope) String() string { return string(s.append(nil)) }

func (s scope) append(dst []byte) []byte {
	dst = append(append(dst, s.date...), '/')
	dst = append(append(dst, s.region...), '/')
	return append(dst, service+"/"+terminator...)
}

// malformed makes the error for one reason. The header and the query word it differently.
type malformed func(format string, args ...any) *s3err.Error

func headerMalformed(format string, args ...any) *s3err.Error {
	return s3err.Newf(s3err.AuthorizationHeaderMalformed, "The authorization header is malformed; "+format, args...)
}

func credentialMalformed(format string, args ...any) *s3err.Error {
	return s3err.Newf(s3err.AuthorizationQueryParametersError, "Error parsing the X-Amz-Credential parameter; "+format, args...)
}

// parseScope reads KEY/DATE/REGION/s3/aws4_request. The access key may itself hold slashes.
func (v *Verifier) parseScope(credential string, bad malformed) (scope, error) {
	f := strings.Split(credential, "/")
	if len(f) < 5 {
		return scope{}, bad(`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	tail := f[len(f)-4:]
	s := scope{accessKey: strings.Join(f[:len(f)-4], "/"), date: tail[0], region: tail[1]}
	if s.accessKey == "" {
		return scope{}, bad("a non-empty Access Key (AKID) must be provided in the credential.")
	}
	if _, err := time.Parse(scopeDate, s.date); err != nil {
		return scope{}, bad(`incorrect date format %q. This date in the credential must be in the format "yyyyMMdd".`, s.date)
	}
	if tail[3] != terminator {
		return scope{}, bad(`incorrect terminal %q. This endpoint uses %q.`, tail[3], terminator)
	}
	if tail[2] != service {
		return scope{}, bad(`incorrect service %q. This endpoint belongs to %q.`, tail[2], service)
	}
	if v.region != "" && s.region != v.region {
		return scope{}, bad("the region '%s' is wrong; expecting '%s'", s.region, v.region).With("Region", v.region)
	}
	return s, nil
}

// checkDate compares the day of the scope with the time of the request.
func (s scope) checkDate(t time.Time, bad malformed) error {
	if day := t.UTC().Format(scopeDate); day != s.date {
		return bad(`Invalid credential date %q. This date is not the same as X-Amz-Date: %q.`, s.date, day)
	}
	return nil
}
