package sigauth

import (
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
		{"date of another day", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20130523T235959Z") }, s3err.AuthorizationHeaderMalformed, "Invalid credential date"},
		{"date of another year", func(r *http.Request) { r.Header.Set("X-Amz-Date", "19500101T000000Z") }, s3err.RequestTimeTooSkewed, ""},
		{"date changed", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20130524T000001Z") }, s3err.SignatureDoesNotMatch, ""},
		{"wrong region", replaceAuth("/us-east-1/", "/eu-west-1/"), s3err.AuthorizationHeaderMalformed, "the region 'eu-west-1' is wrong; expecting 'us-east-1'"},
		{"wrong service", replaceAuth("/s3/", "/ec2/"), s3err.AuthorizationHeaderMalformed, "incorrect service"},
		{"wrong terminator", replaceAuth("/aws4_request", "/aws5_request"), s3err.AuthorizationHeaderMalformed, "incorrect terminal"},
		{"wrong date form", replaceAuth("/20130524/", "/2013052/"), s3err.AuthorizationHeaderMalformed, "yyyyMMdd"},
		{"short credential", replaceAuth("/us-east-1/s3/aws4_request", ""), s3err.AuthorizationHeaderMalformed, "mal-formed"},
		{"empty access key", replaceAuth(exampleKey, ""), s3err.AuthorizationHeaderMalformed, "non-empty Access Key"},
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

// Who was authenticated is no longer who he was when his key is another's, or nobody's.
func TestStillValid(t *testing.T) {
	const access = "AK"
	keys := oneKey{AccessKey: access, SecretKey: "SK", CanonicalID: "one"}
	id := identity(Credential(keys), V4)
	for name, c := range map[string]struct {
		now   oneKey
		valid bool
	}{
		"as before": {keys, true},
		"another's": {oneKey{AccessKey: access, SecretKey: "SK", CanonicalID: "two"}, false},
		"no longer": {oneKey{AccessKey: "other"}, false},
	} {
		if got := New(Options{Keys: c.now}).StillValid(id); got != c.valid {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !New(Options{}).StillValid(Identity{Anonymous: true}) {
		t.Error("anonymous")
	}
}
