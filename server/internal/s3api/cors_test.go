package s3api_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

func TestCORSConfiguration(t *testing.T) {
	s := newScene(t, servertest.Options{})
	rules := []types.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"http://*.x"}, AllowedHeaders: []string{"*"},
		ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: aws.Int32(30), ID: aws.String("a&b")}, {AllowedMethods: []string{"PUT", "DELETE"}, AllowedOrigins: []string{"*"}}}
	_, err := s.s3.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: aws.String(bucket), CORSConfiguration: &types.CORSConfiguration{CORSRules: rules}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: aws.String(bucket)})
	if err != nil || !reflect.DeepEqual(out.CORSRules, rules) {
		t.Errorf("%+v, %v", out, err)
	}
	if raw := s.do("GET", "/bucket?cors", ""); !strings.Contains(raw.body, `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule><ID>a&amp;b</ID>`) {
		t.Error(raw.body)
	}
	for _, c := range []struct {
		body, code string
	}{
		{"", "MissingRequestBodyError"}, {"<CORSConfiguration/>", "MalformedXML"}, {"<Other/>", "MalformedXML"},
		{"<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule></CORSConfiguration>", "InvalidRequest"},
	} {
		s.want(c.body, s.do("PUT", "/bucket?cors", c.body), 400, c.code)
	}
	s.want("no bucket", s.do("PUT", "/nobucket?cors", "<CORSConfiguration/>"), 404, "NoSuchBucket")
	for range 2 {
		s.want("delete", s.do("DELETE", "/bucket?cors", ""), 204, "")
	}
	s.want("after delete", s.do("GET", "/bucket?cors", ""), 404, "NoSuchCORSConfiguration")
}

func TestCORSRequests(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("k", "x")
	options := func(target string, headers ...string) answer {
		return s.send(s.request("OPTIONS", target, "", headers...))
	}
	s.want("before", options(path("k"), "Origin: http://a.x", "Access-Control-Request-Method: GET"), 403, "AccessForbidden")
	if a := s.do("GET", path("k"), "", "Origin: http://a.x"); a.header.Get("Access-Control-Allow-Origin") != "" || a.body != "x" {
		t.Errorf("%v", a)
	}
	s.want("put", s.do("PUT", "/bucket?cors", `<CORSConfiguration>
		<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedOrigin>http://*.x</AllowedOrigin>
			<AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><ExposeHeader>X-Amz-Id-2</ExposeHeader><MaxAgeSeconds>7</MaxAgeSeconds></CORSRule>
		<CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>`), 200, "")
	for _, c := range []struct {
		headers []string
		status  int
		origin  string
		methods string
	}{
		{[]string{"Origin: http://a.x", "Access-Control-Request-Method: GET"}, 200, "http://a.x", "GET, HEAD"},
		{[]string{"Origin: http://a.x", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: X-Amz-Date, x-amz-meta-a"}, 200, "http://a.x", "GET, HEAD"},
		{[]string{"Origin: http://a.x", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: range"}, 403, "", ""},
		{[]string{"Origin: http://a.y", "Access-Control-Request-Method: GET"}, 403, "", ""},
		{[]string{"Origin: http://a.y", "Access-Control-Request-Method: PUT"}, 200, "*", "PUT"},
		{[]string{"Access-Control-Request-Method: PUT"}, 400, "", ""},
		{[]string{"Origin: http://a.y"}, 400, "", ""},
	} {
		for _, target := range []string{path("k"), "/bucket", path("none")} {
			a := options(target, c.headers...)
			if a.status != c.status || a.header.Get("Access-Control-Allow-Origin") != c.origin || a.header.Get("Access-Control-Allow-Methods") != c.methods {
				t.Errorf("%s %v: %d %v %s", target, c.headers, a.status, a.header, a.body)
			}
		}
	}
	a := options(path("k"), "Origin: http://a.x", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: X-Amz-Date")
	h := a.header
	if h.Get("Access-Control-Allow-Headers") != "x-amz-date" || h.Get("Access-Control-Max-Age") != "7" || h.Get("Access-Control-Expose-Headers") != "ETag, X-Amz-Id-2" ||
		h.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(h.Get("Vary"), "Origin") {
		t.Errorf("%v", h)
	}
	a = s.do("GET", path("k"), "", "Origin: http://a.x")
	if a.body != "x" || a.header.Get("Access-Control-Allow-Origin") != "http://a.x" || a.header.Get("Access-Control-Expose-Headers") == "" {
		t.Errorf("actual: %v", a)
	}
	a = s.send(s.request("PUT", path("k"), "y", "Origin: http://b"))
	s.want("refused", a, 403, "AccessDenied")
	if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("an error is not readable for the page: %v", a.header)
	}
	s.want("no bucket", options("/nobucket/k", "Origin: http://b", "Access-Control-Request-Method: GET"), 403, "AccessForbidden")
	s.want("delete", s.do("DELETE", "/bucket?cors", ""), 204, "")
	if a := s.do("GET", path("k"), "", "Origin: http://a.x"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("still allowed: %v", a.header)
	}
}
