package sigauth

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pail/server/internal/s3err"
)

const presignedTarget = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
	"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
	"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

func presignedExample(t testing.TB, old, new string, more ...string) *http.Request {
	t.Helper()
	target := strings.Replace(presignedTarget, old, new, 1)
	return parse(t, "GET "+target+" HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n"+strings.Join(more, "\n"), nil)
}

func TestBadPresigned(t *testing.T) {
	for _, c := range []struct {
		old, new string
		code     s3err.Code
		word     string
	}{
		{"AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", s3err.AuthorizationQueryParametersError, "X-Amz-Algorithm only supports"},
		{"X-Amz-Expires=86400", "", s3err.AuthorizationQueryParametersError, "requires the X-Amz-Algorithm"},
		{"X-Amz-Expires=86400", "X-Amz-Expires=86400&X-Amz-Expires=86400", s3err.AuthorizationQueryParametersError, "requires"},
		{"X-Amz-Signature=", "X-Amz-Sig=", s3err.AuthorizationQueryParametersError, "requires"},
		{"=86400", "=604801", s3err.AuthorizationQueryParametersError, "less than a week"},
		{"=86400", "=99999999999999999999", s3err.AuthorizationQueryParametersError, "less than a week"},
		{"=86400", "=-1", s3err.AuthorizationQueryParametersError, "non-negative"},
		{"=86400", "=0", s3err.AccessDenied, "expired"},
		{"=86400", "=1h", s3err.AuthorizationQueryParametersError, "should be a number"},
		{"=86400", "=86401", s3err.SignatureDoesNotMatch, ""},
		{"=86400", "=86399", s3err.SignatureDoesNotMatch, ""},
		{"20130524T000000Z", "20130524", s3err.AuthorizationQueryParametersError, "ISO8601"},
		{"20130524T000000Z", "20130523T235900Z", s3err.AuthorizationQueryParametersError, "Invalid credential date"},
		{"us-east-1", "eu-west-1", s3err.AuthorizationQueryParametersError, "expecting"},
		{"%2Fs3%2F", "%2Fsqs%2F", s3err.AuthorizationQueryParametersError, "incorrect service"},
		{"aws4_request", "aws", s3err.AuthorizationQueryParametersError, "incorrect terminal"},
		{"AKIAIOSFODNN7EXAMPLE%2F", "", s3err.AuthorizationQueryParametersError, "mal-formed"},
		{"SignedHeaders=host", "SignedHeaders=host%3Bhost", s3err.AuthorizationQueryParametersError, "SignedHeaders"},
		{"SignedHeaders=host", "SignedHeaders=date", s3err.AccessDenied, "not signed"},
		{"AKIAIOSFODNN7EXAMPLE", "AKIANOBODY", s3err.InvalidAccessKeyId, ""},
		{"/test.txt", "/test2.txt", s3err.SignatureDoesNotMatch, ""},
		{"X-Amz-Date", "versionId=1&X-Amz-Date", s3err.SignatureDoesNotMatch, ""},
		{"X-Amz-Date", "X-Amz-Security-Token=t&X-Amz-Date", s3err.InvalidToken, ""},
		{"X-Amz-Date", "X-Amz-Security-Token=t&X-Amz-Security-Token=t&X-Amz-Date", s3err.AuthorizationQueryParametersError, ""},
		{"aeeed9", "aeeed8", s3err.SignatureDoesNotMatch, ""},
	} {
		t.Run(c.new, func(t *testing.T) {
			_, _, err := verifierAt(exampleTime()).Authenticate(presignedExample(t, c.old, c.new))
			if e := wantCode(t, err, c.code); !strings.Contains(e.Message, c.word) {
				t.Errorf("message %q", e.Message)
			}
		})
	}
	_, _, err := verifierAt(exampleTime()).Authenticate(presignedExample(t, "", "", "x-amz-acl: public-read"))
	if e := wantCode(t, err, s3err.AccessDenied); e.Field("HeadersNotSigned") != "x-amz-acl" {
		t.Errorf("fields %v", e.Fields)
	}
}

func TestPresignedLifetime(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		word  string
	}{
		{-MaxSkew, ""}, {0, ""}, {24 * time.Hour, ""}, {24*time.Hour + time.Second, "Request has expired"}, {-MaxSkew - time.Second, "not valid yet"},
	} {
		_, _, err := verifierAt(exampleTime().Add(c.after)).Authenticate(presignedExample(t, "", ""))
		if c.word == "" {
			if err != nil {
				t.Errorf("after %v: %v", c.after, err)
			}
			continue
		}
		if e := wantCode(t, err, s3err.AccessDenied); !strings.Contains(e.Message, c.word) {
			t.Errorf("after %v: %q", c.after, e.Message)
		}
	}
}
