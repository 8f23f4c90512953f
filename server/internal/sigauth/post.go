package sigauth

import (
	"strings"
	"time"

	"pail/server/internal/s3err"
)

// V4Post and V2Post are forms of POST Object, whose policy is what is signed.
const (
	V4Post Kind = "V4-POST"
	V2Post Kind = "V2-POST"
)

// AuthenticatePost checks the signature of a form of POST Object. field gives a field by its name in lower case, "" when
// the form does not have it. A form without policy and without signature is anonymous. The error is an *s3err.Error.
func (v *Verifier) AuthenticatePost(field func(name string) string) (Identity, error) {
	policy := field("policy")
	switch {
	case field("x-amz-signature") != "" || field("x-amz-credential") != "" || field("x-amz-algorithm") != "":
		if policy == "" {
			return Identity{}, missingField("policy")
		}
		return v.postV4(field, policy)
	case field("awsaccesskeyid") != "" || field("signature") != "":
		if policy == "" {
			return Identity{}, missingField("policy")
		}
		return v.postV2(field, policy)
	case policy != "":
		return Identity{}, missingField("AWSAccessKeyId")
	}
	return Identity{Anonymous: true}, nil
}

func missingField(name string) *s3err.Error {
	return s3err.Newf(s3err.InvalidArgument, "Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", name).
		With("ArgumentName", name).With("ArgumentValue", "")
}

func (v *Verifier) postV4(field func(string) string, policy string) (Identity, error) {
	for _, name := range []string{"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"} {
		if field(name) == "" {
			return Identity{}, missingField(name)
		}
	}
	if a := field("x-amz-algorithm"); a != algorithmV4 {
		return Identity{}, invalidArgument("x-amz-algorithm", a, `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`)
	}
	bad := func(format string, args ...any) *s3err.Error {
		return s3err.Newf(s3err.InvalidArgument, "Error parsing the X-Amz-Credential field; "+format, args...)
	}
	s, err := v.parseScope(field("x-amz-credential"), bad)
	if err != nil {
		return Identity{}, err
	}
	t, err := time.Parse(isoBasic, field("x-amz-date"))
	if err != nil {
		return Identity{}, invalidArgument("x-amz-date", field("x-amz-date"), `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	if err := s.checkDate(t, bad); err != nil {
		return Identity{}, err
	}
	c, err := v.credential(s.accessKey, field("x-amz-security-token"))
	if err != nil {
		return Identity{}, err
	}
	if got := field("x-amz-signature"); !v.signing.get(c.SecretKey, s).matches(got, []byte(policy)) {
		return Identity{}, mismatch(s.accessKey, got, []byte(policy), nil)
	}
	return identity(c, V4Post), nil
}

func (v *Verifier) postV2(field func(string) string, policy string) (Identity, error) {
	for _, name := range []string{"AWSAccessKeyId", "signature"} {
		if field(strings.ToLower(name)) == "" {
			return Identity{}, missingField(name)
		}
	}
	c, err := v.credential(field("awsaccesskeyid"), field("x-amz-security-token"))
	if err != nil {
		return Identity{}, err
	}
	if got := field("signature"); !equal(got, signV2(c.SecretKey, []byte(policy))) {
		return Identity{}, mismatch(c.AccessKey, got, []byte(policy), nil)
	}
	return identity(c, V2Post), nil
}
