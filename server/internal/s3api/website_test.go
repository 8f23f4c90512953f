package s3api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

const (
	siteDomain  = "web.pail.test"
	publicRead  = `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}}`
	publicKnown = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"},` +
		`{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket"}]}`
)

// visit asks a website as a browser would, which follows no redirect. headers are "Name: value".
func (s *scene) visit(method, host, target string, headers ...string) answer {
	s.Helper()
	req := s.request(method, target, "", headers...)
	req.Host = host
	browser := *s
	browser.http = &http.Client{Transport: s.http.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return browser.send(req)
}

// newSite is a scene whose bucket is a website, with inner as its configuration and the policy.
func newSite(t *testing.T, inner, policy string) *scene {
	s := newScene(t, servertest.Options{Sites: []string{siteDomain}, Domains: []string{"pail.test"}})
	s.want("website", s.do("PUT", "/bucket?website", "<WebsiteConfiguration>"+inner+"</WebsiteConfiguration>"), 200, "")
	s.want("policy", s.do("PUT", "/bucket?policy", policy), 204, "")
	return s
}

func asHTML(in *s3.PutObjectInput) { in.ContentType = aws.String("text/html") }

const siteIndex = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"

func TestWebsiteConfiguration(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.want("none", s.do("GET", "/bucket?website", ""), 404, "NoSuchWebsiteConfiguration")
	conf := &types.WebsiteConfiguration{IndexDocument: &types.IndexDocument{Suffix: aws.String("i.html")}, ErrorDocument: &types.ErrorDocument{Key: aws.String("e")},
		RoutingRules: []types.RoutingRule{{Condition: &types.Condition{KeyPrefixEquals: aws.String("a/"), HttpErrorCodeReturnedEquals: aws.String("404")},
			Redirect: &types.Redirect{HostName: aws.String("h"), Protocol: "https", ReplaceKeyPrefixWith: aws.String(""), HttpRedirectCode: aws.String("302")}}}}
	if _, err := s.s3.PutBucketWebsite(ctx, &s3.PutBucketWebsiteInput{Bucket: aws.String(bucket), WebsiteConfiguration: conf}); err != nil {
		t.Fatal(err)
	}
	out, err := s.s3.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: aws.String(bucket)})
	if err != nil || *out.IndexDocument.Suffix != "i.html" || *out.ErrorDocument.Key != "e" || len(out.RoutingRules) != 1 || out.RedirectAllRequestsTo != nil {
		t.Fatalf("%+v, %v", out, err)
	}
	if r := out.RoutingRules[0]; *r.Condition.KeyPrefixEquals != "a/" || *r.Condition.HttpErrorCodeReturnedEquals != "404" || *r.Redirect.ReplaceKeyPrefixWith != "" ||
		*r.Redirect.HttpRedirectCode != "302" || r.Redirect.Protocol != "https" || r.Redirect.ReplaceKeyWith != nil {
		t.Errorf("%+v", out.RoutingRules)
	}
	for _, c := range []struct{ inner, code string }{
		{"<IndexDocument><Suffix>a/b</Suffix></IndexDocument>", "InvalidArgument"},
		{siteIndex + "<RoutingRules><RoutingRule><Redirect><Protocol>ftp</Protocol></Redirect></RoutingRule></RoutingRules>", "InvalidRequest"},
		{siteIndex + "<ErrorDocument/>", "MalformedXML"},
	} {
		s.want(c.inner, s.do("PUT", "/bucket?website", "<WebsiteConfiguration>"+c.inner+"</WebsiteConfiguration>"), 400, c.code)
	}
	s.want("nothing", s.do("PUT", "/bucket?website", ""), 400, "MissingRequestBodyError")
	s.want("delete", s.do("DELETE", "/bucket?website", ""), 204, "")
	s.want("after delete", s.do("GET", "/bucket?website", ""), 404, "NoSuchWebsiteConfiguration")
}

func TestWebsitePages(t *testing.T) {
	s := newSite(t, siteIndex, publicKnown)
	s.put("index.html", "home", asHTML)
	s.put("docs/index.html", "docs", asHTML)
	s.put("docs/a b", "page")
	s.put("plain", "0123456789")
	s.put("plain/index.html", "not this one")
	s.put("old", "", func(in *s3.PutObjectInput) { in.WebsiteRedirectLocation = aws.String("/docs/a b") })
	const host = "bucket." + siteDomain
	for _, c := range []struct {
		target, body, location string
		status                 int
	}{
		{"/", "home", "", 200},
		{"", "home", "", 200},
		{"/?acl&versionId=x", "home", "", 200},
		{"/docs/", "docs", "", 200},
		{"/docs/a%20b", "page", "", 200},
		{"/docs", "", "/docs/", 302},
		{"/plain", "0123456789", "", 200},
		{"/old", "", "/docs/a%20b", 301},
	} {
		a := s.visit("GET", host, c.target)
		if a.status != c.status || a.body != c.body || a.header.Get("Location") != c.location {
			t.Errorf("%s: %d %q %q", c.target, a.status, a.body, a.header.Get("Location"))
		}
		h := s.visit("HEAD", host+":80", c.target)
		if h.status != c.status || h.body != "" || h.header.Get("Content-Length") != a.header.Get("Content-Length") || h.header.Get("Location") != c.location {
			t.Errorf("HEAD %s: %d %q %v", c.target, h.status, h.body, h.header)
		}
	}
	a := s.visit("GET", strings.ToUpper(host), "/")
	if a.header.Get("Content-Type") != "text/html" || a.header.Get("ETag") == "" || a.header.Get("Last-Modified") == "" {
		t.Errorf("%v", a.header)
	}
	if c := s.visit("GET", host, "/", "If-None-Match: "+a.header.Get("ETag")); c.status != 304 || c.body != "" {
		t.Errorf("conditional: %d %q", c.status, c.body)
	}
	if r := s.visit("GET", host, "/plain", "Range: bytes=2-4"); r.status != 206 || r.body != "234" {
		t.Errorf("range: %d %q", r.status, r.body)
	}
	if r := s.visit("GET", "bucket.pail.test", "/docs"); r.status != 404 || r.code() != "NoSuchKey" {
		t.Errorf("the same bucket's S3: %d %s", r.status, r.body)
	}
}

func TestWebsiteErrors(t *testing.T) {
	s := newSite(t, siteIndex, publicKnown)
	const host = "bucket." + siteDomain
	page := func(what string, a answer, status int, words ...string) {
		t.Helper()
		if a.status != status || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %v", what, a.status, a.header)
		}
		for _, w := range append(words, "<li>RequestId: "+a.header.Get("X-Amz-Request-Id")+"</li>") {
			if !strings.Contains(a.body, w) {
				t.Errorf("%s: no %q in %s", what, w, a.body)
			}
		}
	}
	missing := s.visit("GET", host, "/no%3Cb%3E")
	page("missing", missing, 404, "<title>404 Not Found</title>", "<li>Code: NoSuchKey</li>", "<li>Message: The specified key does not exist.</li>", "<li>Key: no&lt;b&gt;</li>")
	if missing.header.Get("X-Amz-Error-Code") != "NoSuchKey" || missing.header.Get("X-Amz-Error-Detail-Key") != "no<b>" {
		t.Errorf("%v", missing.header)
	}
	page("missing index", s.visit("GET", host, "/"), 404, "<li>Key: index.html</li>")
	if a := s.visit("HEAD", host, "/no"); a.status != 404 || a.body != "" || a.header.Get("X-Amz-Error-Code") != "NoSuchKey" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	for _, m := range []string{"POST", "PUT", "DELETE"} {
		page(m, s.visit(m, host, "/k"), 405, "<li>Code: MethodNotAllowed</li>", "<li>Method: "+m+"</li>", "<li>ResourceType: OBJECT</li>")
	}
	page("no bucket", s.visit("GET", "none."+siteDomain, "/"), 404, "<li>Code: NoSuchBucket</li>", "<li>BucketName: none</li>")
	page("long", s.visit("GET", host, "/"+strings.Repeat("x", 1025)), 400, "<li>Code: KeyTooLongError</li>")
	page("index of a long name", s.visit("GET", host, "/"+strings.Repeat("x", 1020)), 404, "<li>Code: NoSuchKey</li>")

	s.want("document", s.do("PUT", "/bucket?website", "<WebsiteConfiguration>"+siteIndex+"<ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>"), 200, "")
	page("missing document", s.visit("GET", host, "/no"), 404, "<li>Key: no</li>", "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>", "<li>Key: error.html</li>")
	s.put("error.html", "sorry", asHTML)
	if a := s.visit("GET", host, "/no", "Range: bytes=0-1", "If-None-Match: *"); a.status != 404 || a.body != "sorry" || a.header.Get("Content-Type") != "text/html" || a.header.Get("X-Amz-Error-Code") != "NoSuchKey" {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
	if a := s.visit("HEAD", host, "/no"); a.status != 404 || a.body != "" || a.header.Get("Content-Length") != "5" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	s.put("error.html", "", func(in *s3.PutObjectInput) { in.WebsiteRedirectLocation = aws.String("https://help.test/") })
	if a := s.visit("GET", host, "/no"); a.status != 301 || a.header.Get("Location") != "https://help.test/" {
		t.Errorf("%d %v", a.status, a.header)
	}
	s.do("DELETE", "/bucket?website", "")
	page("no website", s.visit("GET", host, "/k"), 404, "<li>Code: NoSuchWebsiteConfiguration</li>", "<li>BucketName: bucket</li>")
}

// TestWebsiteShowsWhatIsPublic: a visitor is nobody, whoever signed the request, and sees what everybody may.
func TestWebsiteShowsWhatIsPublic(t *testing.T) {
	s := newSite(t, siteIndex+"<ErrorDocument><Key>error.html</Key></ErrorDocument>", publicRead)
	const host = "bucket." + siteDomain
	s.put("index.html", "home")
	s.put("dir/index.html", "dir")
	s.put("error.html", "sorry")
	if a := s.visit("GET", host, "/no"); a.status != 403 || a.body != "sorry" || a.header.Get("X-Amz-Error-Code") != "AccessDenied" {
		t.Errorf("who may not list learns what is missing: %d %q", a.status, a.body)
	}
	if a := s.visit("GET", host, "/dir"); a.status != 302 {
		t.Errorf("%d", a.status)
	}
	s.want("no policy", s.do("DELETE", "/bucket?policy", ""), 204, "")
	for _, target := range []string{"/", "/dir", "/no"} {
		a := s.visit("GET", host, target)
		if a.status != 403 || strings.Count(a.body, "<li>Code: AccessDenied</li>") != 2 || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	req := s.request("GET", "/", "")
	req.Host = host
	s.sign(req, "", time.Now())
	if a := s.send(req); a.status != 403 {
		t.Errorf("the owner's signature: %d", a.status)
	}
}

func TestWebsiteRedirects(t *testing.T) {
	s := newSite(t, siteIndex+"<RoutingRules>"+
		"<RoutingRule><Condition><KeyPrefixEquals>docs/</KeyPrefixEquals></Condition><Redirect><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect></RoutingRule>"+
		"<RoutingRule><Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect><HostName>other.test</HostName><ReplaceKeyPrefixWith>missing/</ReplaceKeyPrefixWith><HttpRedirectCode>307</HttpRedirectCode></Redirect></RoutingRule>"+
		"</RoutingRules>", publicKnown)
	const host = "bucket." + siteDomain
	s.put("docs/a", "never seen")
	s.put("there", "seen")
	for target, want := range map[string]string{
		"/docs/a": "301 http://" + host + "/documents/a",
		"/no?q=1": "307 http://other.test/missing/no?q=1",
		"/there":  "200 ",
	} {
		a := s.visit("GET", host, target)
		if got := strconv.Itoa(a.status) + " " + a.header.Get("Location"); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	s.want("all", s.do("PUT", "/bucket?website", "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>new.test</HostName><Protocol>https</Protocol></RedirectAllRequestsTo></WebsiteConfiguration>"), 200, "")
	for _, target := range []string{"/", "/there", "/no?a=b"} {
		if a := s.visit("GET", host, target); a.status != 301 || a.header.Get("Location") != "https://new.test"+target {
			t.Errorf("%s: %d %v", target, a.status, a.header)
		}
	}
}

// TestWebsitesOfOtherOrigins: a page elsewhere may load what the bucket's CORS configuration allows, as fonts are.
func TestWebsitesOfOtherOrigins(t *testing.T) {
	s := newSite(t, siteIndex, publicKnown)
	s.put("font", "x")
	host := "bucket." + siteDomain
	ask := []string{"Origin: http://a.x", "Access-Control-Request-Method: GET"}
	if a := s.visit("OPTIONS", host, "/font", ask...); a.status != 403 || !strings.Contains(a.body, "<li>Code: AccessForbidden</li>") {
		t.Errorf("before: %d %s", a.status, a.body)
	}
	s.want("cors", s.do("PUT", "/bucket?cors", "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>http://a.x</AllowedOrigin></CORSRule></CORSConfiguration>"), 200, "")
	for m, body := range map[string]string{"OPTIONS": "", "GET": "x"} {
		if a := s.visit(m, host, "/font", ask...); a.status != 200 || a.body != body || a.header.Get("Access-Control-Allow-Origin") != "http://a.x" {
			t.Errorf("%s: %d %q %v", m, a.status, a.body, a.header)
		}
	}
	if a := s.visit("OPTIONS", host, "/font"); a.status != 400 || !strings.Contains(a.body, "<li>Code: BadRequest</li>") {
		t.Errorf("no origin: %d %s", a.status, a.body)
	}
}
