package sigauth

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pail/server/internal/s3err"
)

// signedGet is a good request, for tests that spoil it.
func signedGet(t testing.TB, spoil func(*http.Request)) *http.Request {
	t.Helper()
	r := newRequest(t, http.MethodGet, "http://h/b/k?x=1")
	r = sign(t, r, exampleKey, exampleSecret, "", emptySHA256, exampleTime())
	if spoil != nil {
		spoil(r)
	}
	return r
}

func replaceAuth(old, new string) func(*http.Request) {
	return func(r *http.Request) {
		was := r.Header.Get("Authorization")
		now := strings.Replace(was, old, new, 1)
		if was == now {
			panic("nothing replaced: " + old)
		}
		r.Header.Set("Authorization", now)
	}
}

func TestBadV4Header(t *testing.T) {
	const sigNext = "Signature="
	for _, c := range []struct {
		name  string
		spoil func(*http.Request)
		code  s3err.Code
		word  string // in the message
	}{
		{"unknown key", replaceAuth(exampleKey, "AKIANOBODY"), s3err.InvalidAccessKeyId, "does not exist"},
		{"key without a secret", replaceAuth(exampleKey, "emptyOwner"), s3err.InvalidAccessKeyId, ""},
		{"key of another secret", replaceAuth(exampleKey, "otherKey"), s3err.SignatureDoesNotMatch, ""},
		{"token missing", replaceAuth(exampleKey, "ASIATEMP"), s3err.InvalidAccessKeyId, ""},
		{"other path", func(r *http.Request) { r.RequestURI = "/b/k2?x=1" }, s3err.SignatureDoesNotMatch, ""},
		{"other query", func(r *http.Request) { r.RequestURI = "/b/k?x=2" }, s3err.SignatureDoesNotMatch, ""},
		{"more query", func(r *http.Request) { r.RequestURI = "/b/k?x=1&acl" }, s3err.SignatureDoesNotMatch, ""},
		{"other host", func(r *http.Request) { r.Host = "g" }, s3err.SignatureDoesNotMatch, ""},
		{"other method", func(r *http.Request) { r.Method = http.MethodDelete }, s3err.SignatureDoesNotMatch, ""},
		{"other hash", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", unsignedPayload) }, s3err.SignatureDoesNotMatch, ""},
		{"no hash", func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, s3err.InvalidRequest, "Missing required header"},
		{"header added", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, s3err.AccessDenied, "not signed"},
		{"host not signed", replaceAuth("SignedHeaders=host;", "SignedHeaders="), s3err.AccessDenied, "not signed"},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, s3err.AccessDenied, "valid Date"},
		{"nonsense date", func(r *http.Request) { r.Header.Set("X-Amz-Date", "yesterday") }, s3err.AccessDenied, "valid Date"},
		{"date of another day", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20130525T000000Z") }, s3err.AuthorizationHeaderMalformed, "Invalid credential date"},
		{"date changed", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20130524T000001Z") }, s3err.SignatureDoesNotMatch, ""},
		{"wrong region", replaceAuth("/us-east-1/", "/eu-west-1/"), s3err.AuthorizationHeaderMalformed, `the region "eu-west-1" is wrong; expecting "us-east-1"`},
		{"wrong service", replaceAuth("/s3/", "/ec2/"), s3err.AuthorizationHeaderMalformed, "incorrect service"},
		{"wrong terminator", replaceAuth("/aws4_request", "/aws5_request"), s3err.AuthorizationHeaderMalformed, "incorrect terminal"},
		{"wrong date form", replaceAuth("/20130524/", "/2013052/"), s3err.AuthorizationHeaderMalformed, "yyyyMMdd"},
		{"short credential", replaceAuth("/us-east-1/s3/aws4_request", ""), s3err.AuthorizationHeaderMalformed, "mal-formed"},
		{"no credential", replaceAuth("Credential=", "Credential2="), s3err.AuthorizationHeaderMalformed, "malformed"},
		{"empty signature", func(r *http.Request) {
			a, _, _ := strings.Cut(r.Header.Get("Authorization"), sigNext)
			r.Header.Set("Authorization", a+sigNext)
		}, s3err.AuthorizationHeaderMalformed, "missing Signature"},
		{"signature twice", replaceAuth(sigNext, "Signature=x, Signature="), s3err.AuthorizationHeaderMalformed, ""},
		{"signed header twice", replaceAuth("SignedHeaders=host;", "SignedHeaders=host;host;"), s3err.AuthorizationHeaderMalformed, "SignedHeaders"},
		{"empty signed header", replaceAuth("SignedHeaders=host;", "SignedHeaders=host;;"), s3err.AuthorizationHeaderMalformed, "SignedHeaders"},
		{"many signed headers", func(r *http.Request) {
			var list strings.Builder
			for i := range 1000 {
				fmt.Fprintf(&list, "x-%d;", i)
			}
			replaceAuth("SignedHeaders=", "SignedHeaders="+list.String())(r)
		}, s3err.AuthorizationHeaderMalformed, "SignedHeaders"},
		{"algorithm alone", func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256") }, s3err.AuthorizationHeaderMalformed, ""},
		{"basic", func(r *http.Request) { r.Header.Set("Authorization", "Basic Zm9vOmJhcg==") }, s3err.InvalidArgument, "Unsupported Authorization Type"},
		{"V4A", func(r *http.Request) { r.Header.Set("Authorization", "AWS4-ECDSA-P256-SHA256 Credential=x") }, s3err.NotImplemented, ""},
		{"two headers", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, s3err.InvalidArgument, "Only one auth"},
		{"header and query", func(r *http.Request) { r.RequestURI += "&X-Amz-Algorithm=AWS4-HMAC-SHA256" }, s3err.InvalidArgument, "Only one auth"},
		{"header and V2 query", func(r *http.Request) { r.RequestURI += "&Signature=x" }, s3err.InvalidArgument, "Only one auth"},
		{"bad escape in the query", func(r *http.Request) { r.RequestURI += "&%zz" }, s3err.InvalidURI, ""},
		{"bad escape in the path", func(r *http.Request) { r.RequestURI = "/%zz" }, s3err.InvalidURI, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, p, err := verifierAt(exampleTime()).Authenticate(signedGet(t, c.spoil))
			e := wantCode(t, err, c.code)
			if !strings.Contains(e.Message, c.word) {
				t.Errorf("message %q", e.Message)
			}
			if p != nil || id != (Identity{}) {
				t.Errorf("identity %v in spite of the error", id)
			}
			for _, f := range e.Fields {
				if strings.Contains(f.Value, exampleSecret) || strings.Contains(f.Value, "otherSecret") {
					t.Errorf("a secret in %s", f.Name)
				}
			}
		})
	}
	if _, _, err := verifierAt(exampleTime()).Authenticate(signedGet(t, nil)); err != nil {
		t.Errorf("the request that is spoilt above is not good: %v", err)
	}
}

func TestErrorsCarryAWSFields(t *testing.T) {
	v := verifierAt(exampleTime())
	_, _, err := v.Authenticate(signedGet(t, func(r *http.Request) { r.Host = "g" }))
	e := wantCode(t, err, s3err.SignatureDoesNotMatch)
	if !strings.HasPrefix(e.Field("CanonicalRequest"), "GET\n/b/k\nx=1\n") || !strings.HasPrefix(e.Field("CanonicalRequestBytes"), "47 45 54 0a") ||
		!strings.HasPrefix(e.Field("StringToSign"), "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n") ||
		!strings.HasPrefix(e.Field("StringToSignBytes"), "41 57 53") || len(e.Field("SignatureProvided")) != 64 || e.Field("AWSAccessKeyId") != exampleKey {
		t.Errorf("fields %v", e.Fields)
	}
	_, _, err = v.Authenticate(signedGet(t, replaceAuth("/us-east-1/", "/x/")))
	if e := wantCode(t, err, s3err.AuthorizationHeaderMalformed); e.Field("Region") != "us-east-1" {
		t.Errorf("fields %v", e.Fields)
	}
	_, _, err = verifierAt(exampleTime().Add(time.Hour)).Authenticate(signedGet(t, nil))
	if e := wantCode(t, err, s3err.RequestTimeTooSkewed); e.Field("RequestTime") != "20130524T000000Z" ||
		e.Field("ServerTime") != "2013-05-24T01:00:00Z" || e.Field("MaxAllowedSkewMilliseconds") != "900000" {
		t.Errorf("fields %v", e.Fields)
	}
}

func TestClockSkewIsFifteenMinutes(t *testing.T) {
	for _, c := range []struct {
		off time.Duration
		ok  bool
	}{{0, true}, {MaxSkew, true}, {-MaxSkew, true}, {MaxSkew + time.Second, false}, {-MaxSkew - time.Second, false}, {20 * time.Minute, false}} {
		at := time.Date(2020, 2, 3, 12, 0, 0, 0, time.UTC)
		r := sign(t, newRequest(t, http.MethodGet, "http://h/"), exampleKey, exampleSecret, "", emptySHA256, at)
		_, _, err := verifierAt(at.Add(c.off)).Authenticate(r)
		if c.ok && err != nil {
			t.Errorf("off by %v: %v", c.off, err)
		} else if !c.ok {
			wantCode(t, err, s3err.RequestTimeTooSkewed)
		}
	}
}

func TestSessionTokens(t *testing.T) {
	for _, c := range []struct {
		key, secret, token string
		code               s3err.Code
	}{
		{"ASIATEMP", "temporary", "the-token", ""},
		{"ASIATEMP", "temporary", "the-tokem", s3err.InvalidToken},
		{"ASIATEMP", "temporary", "", s3err.InvalidAccessKeyId},
		{exampleKey, exampleSecret, "the-token", s3err.InvalidToken},
	} {
		r := sign(t, newRequest(t, http.MethodGet, "http://h/"), c.key, c.secret, c.token, emptySHA256, exampleTime())
		_, _, err := verifierAt(exampleTime()).Authenticate(r)
		if c.code == "" && err != nil {
			t.Error(err)
		} else if c.code != "" {
			wantCode(t, err, c.code)
		}
	}
}

func TestAnyRegionWhenNoneIsConfigured(t *testing.T) {
	v := New(Options{Keys: exampleKeys(), Now: exampleTime})
	if _, _, err := v.Authenticate(signedGet(t, nil)); err != nil {
		t.Error(err)
	}
}

func TestChangedSecretInvalidatesTheCachedKey(t *testing.T) {
	keys := exampleKeys()
	v := New(Options{Keys: keys, Region: "us-east-1", Now: exampleTime})
	if _, _, err := v.Authenticate(signedGet(t, nil)); err != nil {
		t.Fatal(err)
	}
	keys[exampleKey] = Credential{AccessKey: exampleKey, SecretKey: "changed"}
	_, _, err := v.Authenticate(signedGet(t, nil))
	wantCode(t, err, s3err.SignatureDoesNotMatch)
}

func TestAnonymous(t *testing.T) {
	r := parse(t, "GET /b/k?X-Amz-Date=x HTTP/1.1\nHost: h\nAuthorization:", nil)
	id, p, err := verifierAt(exampleTime()).Authenticate(r)
	if err != nil || !id.Anonymous || id.AccessKey != "" || p == nil || id.Signature != "" {
		t.Errorf("%+v, %v", id, err)
	}
}

// A client that escapes fewer bytes than AWS's rule signs what it sends.
func TestPathAsSentIsAccepted(t *testing.T) {
	r := newRequest(t, http.MethodGet, "http://h/b/(a)!$&'*+,;=:@é")
	r.URL.Opaque = "//h/b/(a)!$&'*+,;=:@%c3%a9"
	r = sign(t, r, exampleKey, exampleSecret, "", emptySHA256, exampleTime())
	if r.RequestURI = strings.TrimPrefix(r.RequestURI, "http://h"); !strings.Contains(r.RequestURI, "(a)!$&'*+,;=:@%c3%a9") {
		t.Fatalf("the test sends %q", r.RequestURI)
	}
	if _, _, err := verifierAt(exampleTime()).Authenticate(r); err != nil {
		t.Error(err)
	}
}

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
		{"=86400", "=0", s3err.AuthorizationQueryParametersError, "non-negative"},
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

// signedV2 makes a request with a V2 signature over the string given.
func signedV2(t testing.TB, head, toSign string) *http.Request {
	t.Helper()
	return parse(t, head+"\nAuthorization: AWS "+exampleKey+":"+signV2(exampleSecret, []byte(toSign)), nil)
}

const v2Date = "Fri, 24 May 2013 00:00:00 GMT"

func TestV2Header(t *testing.T) {
	const head = "\nHost: s3.test\nDate: " + v2Date
	for _, c := range []struct{ name, head, toSign string }{
		{"s3cmd's subresources", "POST /b/?delete HTTP/1.1" + head, "POST\n\n\n" + v2Date + "\n/b/?delete"},
		{"empty value kept as sent", "POST /b/k?uploads= HTTP/1.1" + head, "POST\n\n\n" + v2Date + "\n/b/k?uploads="},
		{"sorted", "PUT /b/k?uploadId=a%2Fb&x=y&partNumber=2 HTTP/1.1" + head, "PUT\n\n\n" + v2Date + "\n/b/k?partNumber=2&uploadId=a/b"},
		{"response overrides are decoded", "GET /b/k?response-content-disposition=attachment%3B%20filename%3D%22x%22&response-expires=0 HTTP/1.1" + head,
			"GET\n\n\n" + v2Date + "\n/b/k?response-content-disposition=attachment; filename=\"x\"&response-expires=0"},
		{"virtual host", "GET /k HTTP/1.1\nHost: My.Bucket.s3.pail.test:8000\nDate: " + v2Date, "GET\n\n\n" + v2Date + "\n/my.bucket/k"},
		{"escaped path", "GET /b/a%20b%2bc HTTP/1.1" + head, "GET\n\n\n" + v2Date + "\n/b/a%20b%2bc"},
		{"iso x-amz-date", "GET /b HTTP/1.1\nHost: h\nx-amz-date: 20130524T000000Z", "GET\n\n\n\nx-amz-date:20130524T000000Z\n/b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := signedV2(t, c.head, c.toSign)
			id, _, err := verifierAt(exampleTime(), "s3.pail.test").Authenticate(r)
			if err != nil || id.Signature != V2 || id.AccessKey != exampleKey || id.SecretKey != "" {
				t.Errorf("%+v, %v", id, err)
			}
		})
	}
}

// V2 does not sign the host: a request for /b/k must not be good for key b/k of another bucket.
func TestV2SignatureIsBoundToItsBucket(t *testing.T) {
	r := signedV2(t, "GET /b/k HTTP/1.1\nHost: other.s3.pail.test\nDate: "+v2Date, "GET\n\n\n"+v2Date+"\n/b/k")
	_, _, err := verifierAt(exampleTime(), "s3.pail.test").Authenticate(r)
	wantCode(t, err, s3err.SignatureDoesNotMatch)
}

func TestBadV2(t *testing.T) {
	good := "GET\n\n\n" + v2Date + "\n/b/k"
	head := "GET /b/k HTTP/1.1\nHost: h\nDate: " + v2Date
	auth := "\nAuthorization: "
	for _, c := range []struct {
		name string
		r    *http.Request
		code s3err.Code
	}{
		{"other string", signedV2(t, head, good+"x"), s3err.SignatureDoesNotMatch},
		{"header added", signedV2(t, head+"\nx-amz-acl: public-read", good), s3err.SignatureDoesNotMatch},
		{"subresource added", signedV2(t, strings.Replace(head, "/b/k", "/b/k?tagging", 1), good), s3err.SignatureDoesNotMatch},
		{"unknown key", parse(t, head+auth+"AWS nobody:c2ln", nil), s3err.InvalidAccessKeyId},
		{"no colon", parse(t, head+auth+"AWS nobody", nil), s3err.InvalidArgument},
		{"no signature", parse(t, head+auth+"AWS nobody:", nil), s3err.InvalidArgument},
		{"no key", parse(t, head+auth+"AWS :c2ln", nil), s3err.InvalidArgument},
		{"scheme alone", parse(t, head+auth+"AWS", nil), s3err.InvalidArgument},
		{"no date", parse(t, "GET / HTTP/1.1\nHost: h"+auth+"AWS a:b", nil), s3err.AccessDenied},
		{"old", signedV2(t, strings.Replace(head, "00:00:00", "00:16:00", 1), good), s3err.RequestTimeTooSkewed},
		{"aws-chunked with signatures", signedV2(t, head+"\nx-amz-content-sha256: "+streamingSigned, "GET\n\n\n"+v2Date+"\nx-amz-content-sha256:"+streamingSigned+"\n/b/k"), s3err.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := verifierAt(exampleTime()).Authenticate(c.r)
			wantCode(t, err, c.code)
		})
	}
}

func presignedV2(t testing.TB, expires, toSign, more string) *http.Request {
	t.Helper()
	sig := signV2(exampleSecret, []byte(toSign))
	return parse(t, "GET /b/k?AWSAccessKeyId="+exampleKey+"&Expires="+expires+"&Signature="+url.QueryEscape(sig)+more+" HTTP/1.1\nHost: h", nil)
}

func TestPresignedV2(t *testing.T) {
	at := exampleTime().Unix()
	sign := func(expires, rest string) string { return "GET\n\n\n" + expires + "\n" + rest }
	for _, c := range []struct {
		name, expires, rest, more string
		code                      s3err.Code
	}{
		{"good", fmt.Sprint(at), "/b/k", "", ""},
		{"far future", fmt.Sprint(at + 1e9), "/b/k", "", ""},
		{"response override", fmt.Sprint(at), "/b/k?response-content-type=text/x", "&response-content-type=text%2Fx", ""},
		{"expired", fmt.Sprint(at - 1), "/b/k", "", s3err.AccessDenied},
		{"nonsense", "tomorrow", "/b/k", "", s3err.AccessDenied},
		{"other key", fmt.Sprint(at), "/b/k2", "", s3err.SignatureDoesNotMatch},
		{"twice", fmt.Sprint(at), "/b/k", "&Expires=1", s3err.AccessDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, _, err := verifierAt(exampleTime()).Authenticate(presignedV2(t, c.expires, sign(c.expires, c.rest), c.more))
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil || id.Signature != V2Presigned {
				t.Error(err)
			}
		})
	}
	_, _, err := verifierAt(exampleTime()).Authenticate(parse(t, "GET /b/k?AWSAccessKeyId=a&Expires=1 HTTP/1.1\nHost: h", nil))
	wantCode(t, err, s3err.AccessDenied)
}

func TestPresignedV2WithUnescapedPlus(t *testing.T) {
	for i := range 1000 {
		expires := fmt.Sprint(exampleTime().Unix() + int64(i))
		sig := signV2(exampleSecret, []byte("GET\n\n\n"+expires+"\n/b/k"))
		if !strings.Contains(sig, "+") {
			continue
		}
		r := parse(t, "GET /b/k?AWSAccessKeyId="+exampleKey+"&Expires="+expires+"&Signature="+sig+" HTTP/1.1\nHost: h", nil)
		if _, _, err := verifierAt(exampleTime()).Authenticate(r); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("no signature with a plus")
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := Credential{AccessKey: "A", SecretKey: "hidden1", SessionToken: "hidden2"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c)
	for _, s := range []string{log.String(), fmt.Sprintf("%v %+v %#v %s", c, c, c, c)} {
		if strings.Contains(s, "hidden") || !strings.Contains(s, "A") {
			t.Error(s)
		}
	}
}

func TestUnusualTargets(t *testing.T) {
	for uri, want := range map[string][2]string{
		"/": {"/", ""}, "/a?b?c": {"/a", "b?c"}, "http://h": {"/", ""}, "http://h?q": {"/", "q"}, "http://h/a/../b?q": {"/a/../b", "q"},
		"*": {"*", ""}, "//x//": {"//x//", ""}, "?q": {"/", "q"},
	} {
		path, query := target(&http.Request{RequestURI: uri})
		if path != want[0] || query != want[1] {
			t.Errorf("%q: %q and %q", uri, path, query)
		}
	}
	if path, query := target(&http.Request{URL: &url.URL{Path: "/a b", RawQuery: "q"}}); path != "/a%20b" || query != "q" {
		t.Errorf("%q and %q", path, query)
	}
}

func FuzzAuthorizationHeader(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 "+exampleScope+", SignedHeaders=host;x-amz-date, Signature=00", "20130524T000000Z", "/b/k?x", "v")
	f.Add("AWS "+exampleKey+":"+base64.StdEncoding.EncodeToString([]byte("x")), v2Date, "/", "")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=,Signature=", "", "*", "\x00")
	v := verifierAt(exampleTime(), "h")
	f.Fuzz(func(t *testing.T, auth, date, target, value string) {
		r := &http.Request{Method: "GET", Host: "b.h", RequestURI: target, URL: &url.URL{}, Header: http.Header{
			"Authorization": {auth}, "X-Amz-Date": {date}, "X-Amz-Meta-X": {value, value}, "X-Amz-Content-Sha256": {unsignedPayload}}}
		id, p, err := v.Authenticate(r)
		checkOutcome(t, id, p, err, auth == "")
	})
}

func FuzzPresignedQuery(f *testing.F) {
	f.Add(presignedTarget, "")
	f.Add("/b/k?AWSAccessKeyId="+exampleKey+"&Expires=9999999999&Signature=x%3D", "x")
	f.Add("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature", "")
	f.Add("/?%", "")
	v := verifierAt(exampleTime())
	f.Fuzz(func(t *testing.T, target, hash string) {
		r := &http.Request{Method: "GET", Host: "examplebucket.s3.amazonaws.com", RequestURI: target, URL: &url.URL{}, Header: http.Header{}}
		if hash != "" {
			r.Header.Set("X-Amz-Content-Sha256", hash)
		}
		id, p, err := v.Authenticate(r)
		checkOutcome(t, id, p, err, true)
	})
}

// checkOutcome holds for every request that was not signed with the secret, and for the one good seed.
func checkOutcome(t *testing.T, id Identity, p *Payload, err error, mayBeAnonymous bool) {
	t.Helper()
	if err != nil {
		e, ok := err.(*s3err.Error)
		if !ok || e.Status < 400 || e.Status >= 500 && e.Code != s3err.NotImplemented || p != nil || id != (Identity{}) {
			t.Fatalf("%v (%T)", err, err)
		}
		return
	}
	if p == nil || id.Anonymous != (id.AccessKey == "") || id.Anonymous && !mayBeAnonymous {
		t.Fatalf("%+v", id)
	}
}
