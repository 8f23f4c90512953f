package s3api

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pail/server/internal/s3err"
)

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		header      string
		size        int64
		off, length int64
		state       rangeState
	}{
		{"bytes=0-0", 10, 0, 1, rangeOK},
		{"bytes=0-", 10, 0, 10, rangeOK},
		{"bytes=3-5", 10, 3, 3, rangeOK},
		{"bytes=3-99", 10, 3, 7, rangeOK},
		{"bytes=3-99999999999999999999", 10, 3, 7, rangeOK},
		{"bytes=-3", 10, 7, 3, rangeOK},
		{"bytes=-30", 10, 0, 10, rangeOK},
		{"bytes=-0", 10, 0, 0, rangeUnsatisfiable},
		{"bytes=10-", 10, 0, 0, rangeUnsatisfiable},
		{"bytes=99999999999999999999-", 10, 0, 0, rangeUnsatisfiable},
		{"bytes=0-0", 0, 0, 0, rangeUnsatisfiable},
		{"bytes=-1", 0, 0, 0, rangeUnsatisfiable},
		{"bytes=5-3", 10, 0, 0, rangeIgnored},
		{"bytes=0-1,3-4", 10, 0, 0, rangeIgnored},
		{"bytes=a-b", 10, 0, 0, rangeIgnored},
		{"bytes=+1-2", 10, 0, 0, rangeIgnored},
		{"bytes=-", 10, 0, 0, rangeIgnored},
		{"bytes=--3", 10, 0, 0, rangeIgnored},
		{"bytes=", 10, 0, 0, rangeIgnored},
		{"items=0-1", 10, 0, 0, rangeIgnored},
	} {
		off, n, state := parseRange(c.header, c.size)
		if state != c.state || state == rangeOK && (off != c.off || n != c.length) {
			t.Errorf("%q of %d: %d+%d %v, want %d+%d %v", c.header, c.size, off, n, state, c.off, c.length, c.state)
		}
	}
}

func TestParseCopySource(t *testing.T) {
	for _, c := range []struct{ in, bucket, key, version string }{
		{"b/k", "b", "k", ""},
		{"/b/k", "b", "k", ""},
		{"b/k%20x+y", "b", "k x+y", ""},
		{"b%2Fk%2Fl", "b", "k/l", ""},
		{"b/k?versionId=v1", "b", "k", "v1"},
		{"b/k%3FversionId=v1", "b", "k?versionId=v1", ""},
		{"b/k%253F", "b", "k%3F", ""},
		{"b//k", "b", "/k", ""},
		{"b/../k", "b", "../k", ""},
	} {
		got, err := parseCopySource(c.in)
		if err != nil || got != (copySource{c.bucket, c.key, c.version}) {
			t.Errorf("%q: %+v, %v", c.in, got, err)
		}
	}
	for _, bad := range []string{"", "/", "b", "b/", "/b/", "//k", "b/%zz", "%", "b/k?versionId=%"} {
		if _, err := parseCopySource(bad); !s3err.Is(err, s3err.InvalidArgument) {
			t.Errorf("%q: %v, want InvalidArgument", bad, err)
		}
	}
	if _, err := parseCopySource("b/" + strings.Repeat("k", 1025)); !s3err.Is(err, s3err.KeyTooLongError) {
		t.Errorf("long key: %v", err)
	}
}

func TestParseCopyRange(t *testing.T) {
	if off, n, err := parseCopyRange("bytes=5-9"); off != 5 || n != 5 || err != nil {
		t.Errorf("%d %d %v", off, n, err)
	}
	for _, bad := range []string{"", "bytes=", "bytes=-5", "bytes=5-", "bytes=9-5", "5-9", "bytes=0-1,2-3", "bytes=0-9223372036854775807", "bytes=+0-1"} {
		if _, _, err := parseCopyRange(bad); !s3err.Is(err, s3err.InvalidArgument) {
			t.Errorf("%q: %v, want InvalidArgument", bad, err)
		}
	}
}

func TestBucketNames(t *testing.T) {
	for _, good := range []string{"abc", "a.b-c", "123", strings.Repeat("a", 63), "0.0.0", "a1.2.3.4"} {
		if !validBucketName(good) {
			t.Errorf("%q refused", good)
		}
	}
	for _, bad := range []string{"", "ab", strings.Repeat("a", 64), "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "1.2.3.4",
		"xn--abc", "sthree-abc", "abc-s3alias", "abc--ol-s3", "abc.mrap", "a/b", "ab\x00", "äbc"} {
		if validBucketName(bad) {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestTargets(t *testing.T) {
	a := New(Options{Domains: []string{"s3.example.com"}})
	for _, c := range []struct{ uri, host, bucket, key, code string }{
		{"/", "x", "", "", ""},
		{"/b", "x", "b", "", ""},
		{"/b/", "x", "b", "", ""},
		{"/b/k", "x", "b", "k", ""},
		{"/b//k", "x", "b", "/k", ""},
		{"/b/a/../k", "x", "b", "a/../k", ""},
		{"/b/a/./k.", "x", "b", "a/./k.", ""},
		{"/b/%2e%2e", "x", "b", "..", ""},
		{"/b/a%2Fb%20c+d%2B", "x", "b", "a/b c+d+", ""},
		{"/b/%00%ff", "x", "b", "\x00\xff", ""},
		{"/b/%zz", "x", "", "", "InvalidURI"},
		{"/b/k?a=%zz", "x", "", "", "InvalidURI"},
		{"//k", "x", "", "", "InvalidBucketName"},
		{"http://x/b/k", "x", "b", "k", ""},
		{"http://x", "x", "", "", ""},
		{"/k", "b.s3.example.com", "b", "k", ""},
		{"//k", "b.s3.example.com:8000", "b", "/k", ""},
		{"/", "B.S3.example.com", "b", "", ""},
		{"/a.b/k", "s3.example.com", "a.b", "k", ""},
		{"/k", "a.b.s3.example.com", "a.b", "k", ""},
		{"/b/" + strings.Repeat("k", 1024), "x", "b", strings.Repeat("k", 1024), ""},
		{"/b/" + strings.Repeat("k", 1025), "x", "", "", "KeyTooLongError"},
	} {
		r := &request{api: a, http: &http.Request{RequestURI: c.uri, Host: c.host}}
		err := r.parse()
		if c.code != "" {
			if !s3err.Is(err, s3err.Code(c.code)) {
				t.Errorf("%.40s: %v, want %s", c.uri, err, c.code)
			}
			continue
		}
		if err != nil || r.bucket != c.bucket || r.key != c.key {
			t.Errorf("%.40s at %s: %q %q %v, want %q %q", c.uri, c.host, r.bucket, r.key, err, c.bucket, c.key)
		}
	}
}

func TestXMLBodies(t *testing.T) {
	var d deleteRequest
	for _, good := range []string{
		`<Delete><Object><Key>a</Key></Object></Delete>`,
		`<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet><Object><Key>a&amp;b</Key></Object></Delete>` + "\n",
		`<Delete><Object><Key>a</Key><Unknown><x/></Unknown></Object></Delete><!-- end -->`,
	} {
		d = deleteRequest{}
		if err := parseXML([]byte(good), &d); err != nil || len(d.Object) != 1 {
			t.Errorf("%s: %v", good, err)
		}
	}
	deep := strings.Repeat("<a>", 200) + strings.Repeat("</a>", 200)
	for _, bad := range []string{
		"", " ", "<", "nonsense", "<Delete>", "<Delete></Wrong>", "<Other></Other>", `<Delete><Object></Delete>`,
		`<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>`,
		`<Delete><Object><Key>&a;</Key></Object></Delete>`,
		`<Delete></Delete><Delete></Delete>`, `<Delete></Delete>junk`,
		`<Delete><Quiet>maybe</Quiet></Delete>`, "<Delete>" + deep + "</Delete>",
		`<?xml version="1.0" encoding="UTF-16"?><Delete></Delete>`, "<Delete>\x00</Delete>", "<Delete>\xff</Delete>",
	} {
		if err := parseXML([]byte(bad), &deleteRequest{}); !s3err.Is(err, s3err.MalformedXML) {
			t.Errorf("%.60s: %v, want MalformedXML", bad, err)
		}
	}
}

func TestTokensResistTampering(t *testing.T) {
	token := makeToken(objectsToken, "a/b\xff")
	if p, ok := parseToken(objectsToken, token); !ok || p != "a/b\xff" {
		t.Fatalf("%q %v", p, ok)
	}
	if strings.Contains(token, "a/b") {
		t.Error("the token shows the key")
	}
	if _, ok := parseToken(bucketsToken, token); ok {
		t.Error("a token of another kind is taken")
	}
	for i := range len(token) {
		for _, c := range "A-9" {
			changed := token[:i] + string(c) + token[i+1:]
			if _, ok := parseToken(objectsToken, changed); ok && changed != token {
				t.Errorf("changed token %s is taken", changed)
			}
		}
	}
	for _, bad := range []string{"", "x", "AA", token + "A", token[:len(token)-1]} {
		if _, ok := parseToken(objectsToken, bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestHeaderValues(t *testing.T) {
	for in, want := range map[string]string{
		"plain ascii": "plain ascii", "": "", "Grüße": "=?UTF-8?B?R3LDvMOfZQ==?=", "\xe9": "=?UTF-8?B?w6k=?=",
		"\x04mymeta": "=?UTF-8?B?BG15bWV0YQ==?=",
	} {
		if got := headerValue(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := contentEncoding([]string{"aws-chunked, gzip", "br"}); got != "gzip,br" {
		t.Errorf("content encoding %q", got)
	}
	if got := contentEncoding([]string{"aws-chunked"}); got != "" {
		t.Errorf("content encoding %q", got)
	}
}

func TestUserMetadataLimit(t *testing.T) {
	h := http.Header{"X-Amz-Meta-A": {strings.Repeat("x", maxMetaSize-1)}}
	if m, err := userMetadata(h); err != nil || len(m["a"]) != maxMetaSize-1 {
		t.Errorf("%v", err)
	}
	h.Set("X-Amz-Meta-B", "")
	if _, err := userMetadata(h); !s3err.Is(err, s3err.MetadataTooLarge) {
		t.Errorf("%v, want MetadataTooLarge", err)
	}
}

func TestConditionHeaders(t *testing.T) {
	h := http.Header{"If-Match": {`"a", W/"b"`, "c"}, "If-None-Match": {"*"}, "If-Modified-Since": {"Mon, 02 Jan 2006 15:04:05 GMT"},
		"If-Unmodified-Since": {"yesterday"}}
	c := conditionsOf(h, "")
	if strings.Join(c.IfMatch, "|") != "a|b|c" || c.IfNoneMatch[0] != "*" || c.IfModifiedSince.Unix() != 1136214245 || !c.IfUnmodifiedSince.IsZero() {
		t.Errorf("%+v", c)
	}
	if c := conditionsOf(http.Header{"If-Match": {""}}, ""); len(c.IfMatch) != 1 {
		t.Errorf("an empty If-Match is no condition: %+v", c)
	}
	if tm, ok := parseTime("2024-05-06T07:08:09.123Z"); !ok || tm.Year() != 2024 {
		t.Error("RFC 3339 is refused")
	}
}

func TestXMLEscaping(t *testing.T) {
	x := &xmlBuf{}
	x.text("K", "a<b>&\"\r\n\x00\x1f\xff\ufffe日")
	var got struct {
		XMLName xml.Name `xml:"K"`
		V       string   `xml:",chardata"`
	}
	if err := xml.Unmarshal(x.b, &got); err != nil {
		t.Fatalf("%s: %v", x.b, err)
	}
	if want := "a<b>&\"\r\n���\ufffd日"; got.V != want {
		t.Errorf("%q, want %q", got.V, want)
	}
	if s := string(appendURLEncoded(nil, "a b/c+d%\xffé~*")); s != "a%20b/c%2Bd%25%FF%C3%A9~%2A" {
		t.Errorf("%s", s)
	}
}

func TestRedactedURIs(t *testing.T) {
	for _, name := range []string{"X-Amz-Signature", "Signature", "X-Amz-Security-Token", "x-amz-server-side-encryption-customer-key",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key", "X-Amz%2DSignature", "%53ignature", "Signature%"} {
		got := redactURI("/b/k?a=1&" + name + "=secret&prefix=x")
		if want := "/b/k?a=1&" + name + "=...&prefix=x"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func FuzzCopySource(f *testing.F) {
	for _, s := range []string{"b/k", "/b/k?versionId=v", "%2F", "b/%", "arn:aws:s3:::x/y", "b/k?versionId=?versionId="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCopySource(s)
		if err != nil {
			if e, unknown := From(err); unknown || e.Status >= 500 && e.Code != s3err.NotImplemented {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if c.bucket == "" || c.key == "" || len(c.key) > maxKeyLength || strings.Contains(c.bucket, "/") {
			t.Fatalf("%q: %+v", s, c)
		}
	})
}

func FuzzListParameters(f *testing.F) {
	for _, s := range []string{"prefix=a&max-keys=3", "max-keys=-1", "encoding-type=url&delimiter=%2F", "continuation-token=x", "max-keys=99999999999", ";;=&&%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		query, err := parseQuery(s)
		if err == nil {
			r := &request{query: query}
			var l listing
			if l, err = r.listing(); err == nil && (l.max < 0 || l.max > maxMetaKeys) {
				t.Fatalf("max-keys %d", l.max)
			}
			if err == nil {
				_, _, err = r.tokenArg(objectsToken)
			}
		}
		if err != nil {
			if e, unknown := From(err); unknown || e.Status != 400 {
				t.Fatalf("%q: %v", s, err)
			}
		}
	})
}

func FuzzXMLBodies(f *testing.F) {
	for _, s := range []string{"<Delete><Object><Key>a</Key></Object></Delete>", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
		"<CreateBucketConfiguration><LocationConstraint>x</LocationConstraint></CreateBucketConfiguration>", "<a><b>", "<!DOCTYPE a>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(err error) {
			if err == nil {
				return
			}
			if e, unknown := From(err); unknown || e.Status >= 500 {
				t.Fatalf("%q: %v", b, err)
			}
		}
		var d deleteRequest
		err := parseXML(b, &d)
		if err == nil {
			_, _, err = d.inputs()
		}
		check(err)
		var c completeRequest
		if err = parseXML(b, &c); err == nil {
			_, err = c.parts()
		}
		check(err)
		check(parseXML(b, &createConfiguration{}))
	})
}

func FuzzTargets(f *testing.F) {
	for _, s := range []string{"/b/k", "//", "http://h/b", "*", "/%", "/b/%00?x=%41&y"} {
		f.Add(s, "h")
	}
	a := New(Options{Domains: []string{"d"}, Now: time.Now})
	f.Fuzz(func(t *testing.T, uri, host string) {
		r := &request{api: a, http: &http.Request{RequestURI: uri, Host: host}}
		if err := r.parse(); err != nil {
			if e, unknown := From(err); unknown || e.Status != 400 {
				t.Fatalf("%q: %v", uri, err)
			}
			return
		}
		if len(r.key) > maxKeyLength {
			t.Fatalf("key of %d bytes", len(r.key))
		}
		_, _ = url.Parse(redactURI(uri))
	})
}
