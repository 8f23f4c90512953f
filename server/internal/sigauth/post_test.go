package sigauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"pail/server/internal/s3err"
)

type oneKey Credential

func (k oneKey) Lookup(access string) (Credential, bool) { return Credential(k), access == k.AccessKey }

// The signature of a form is over the policy as it was sent, whatever is in it.
func TestFormSignatures(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	v := New(Options{Keys: oneKey{AccessKey: "AK", SecretKey: "SK"}, Region: "us-east-1", Now: func() time.Time { return now }})
	signed := func(policy string) map[string]string {
		key := deriveKey("SK", "20260601", "us-east-1")
		h := hmac.New(sha256.New, key[:])
		h.Write([]byte(policy))
		return map[string]string{"policy": policy, "x-amz-algorithm": algorithmV4, "x-amz-credential": "AK/20260601/us-east-1/s3/aws4_request",
			"x-amz-date": "20260601T120000Z", "x-amz-signature": hex.EncodeToString(h.Sum(nil))}
	}
	v2 := map[string]string{"policy": "P", "awsaccesskeyid": "AK", "signature": signV2("SK", []byte("P"))}
	with := func(form map[string]string, name, value string) map[string]string {
		out := map[string]string{}
		for k, val := range form {
			out[k] = val
		}
		out[name] = value
		return out
	}
	for _, c := range []struct {
		what string
		form map[string]string
		kind Kind
		code s3err.Code
	}{
		{"nothing", map[string]string{}, "", ""},
		{"V4", signed("P"), V4Post, ""},
		{"V2", v2, V2Post, ""},
		{"another policy", with(signed("P"), "policy", "Q"), "", s3err.SignatureDoesNotMatch},
		{"another policy in V2", with(v2, "policy", "Q"), "", s3err.SignatureDoesNotMatch},
		{"another region", with(signed("P"), "x-amz-credential", "AK/20260601/eu-west-1/s3/aws4_request"), "", s3err.InvalidArgument},
		{"another day", with(signed("P"), "x-amz-date", "20260602T120000Z"), "", s3err.InvalidArgument},
		{"no date", with(signed("P"), "x-amz-date", "today"), "", s3err.InvalidArgument},
		{"another algorithm", with(signed("P"), "x-amz-algorithm", "none"), "", s3err.InvalidArgument},
		{"another account", with(v2, "awsaccesskeyid", "XX"), "", s3err.InvalidAccessKeyId},
		{"a token that the keys do not have", with(v2, "x-amz-security-token", "t"), "", s3err.InvalidToken},
		{"a policy that nobody signs", map[string]string{"policy": "P"}, "", s3err.InvalidArgument},
		{"a signature of nothing", with(v2, "policy", ""), "", s3err.InvalidArgument},
	} {
		id, err := v.AuthenticatePost(func(name string) string { return c.form[name] })
		if c.code == "" && (err != nil || id.Signature != c.kind || id.Anonymous != (c.kind == "") || id.SecretKey != "") || c.code != "" && !s3err.Is(err, c.code) {
			t.Errorf("%s: %+v %v", c.what, id, err)
		}
	}
}
