package cors

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
)

func rules(inner string) string {
	return "<CORSConfiguration>" + inner + "</CORSConfiguration>"
}

func rule(inner string) string {
	return rules("<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>http://a</AllowedOrigin>" + inner + "</CORSRule>")
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{rule(""), ""},
		{rule("<MaxAgeSeconds>0</MaxAgeSeconds><ExposeHeader>ETag</ExposeHeader><ID>x</ID>"), ""},
		{rules(""), "MalformedXML"},
		{rules("<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>"), "MalformedXML"},
		{rules("<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>"), "MalformedXML"},
		{rule("<AllowedMethod>PATCH</AllowedMethod>"), "Unsupported method is PATCH"},
		{rule("<AllowedOrigin>*.*</AllowedOrigin>"), "more than one wildcard"},
		{rule("<AllowedHeader>x-*-*</AllowedHeader>"), "more than one wildcard"},
		{rule("<ExposeHeader>x-*</ExposeHeader>"), "contains wildcard"},
		{rule("<MaxAgeSeconds>-1</MaxAgeSeconds>"), "MalformedXML"},
		{rule("<ID>" + strings.Repeat("x", 256) + "</ID>"), "MalformedXML"},
		{rules(strings.Repeat("<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>", 101)), "100 rules"},
	} {
		conf, err := Parse([]byte(c.doc))
		if err != nil {
			t.Fatal(err)
		}
		if err := conf.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.200s: %v", c.doc, err)
		}
	}
}

func TestAllow(t *testing.T) {
	conf, err := Parse([]byte(rules(
		"<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>http://*.b</AllowedOrigin><AllowedHeader>X-Amz-*</AllowedHeader></CORSRule>" +
			"<CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod><AllowedOrigin>http://c</AllowedOrigin></CORSRule>" +
			"<CORSRule><AllowedMethod>DELETE</AllowedMethod><AllowedOrigin>*</AllowedOrigin><AllowedHeader>*</AllowedHeader></CORSRule>")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		origin, method, headers, want string
	}{
		{"http://a.b", "GET", "", "http://a.b true"},
		{"http://.b", "GET", "", "http://.b true"},
		{"http://b", "GET", "", ""},
		{"http://a.b", "GET", "x-amz-date X-AMZ-META-a", "http://a.b true"},
		{"http://a.b", "GET", "x-amz-date content-type", ""},
		{"http://c", "GET", "", "http://c true"},
		{"http://c", "HEAD", "", ""},
		{"http://C", "GET", "", ""},
		{"http://c", "GET", "range", ""},
		{"anything", "DELETE", "range", "* false"},
	} {
		g, ok := conf.Allow(Request{c.origin, c.method, strings.Fields(c.headers)})
		got := ""
		if ok {
			got = fmt.Sprintf("%s %v", g.Origin, g.Credentials)
		}
		if got != c.want {
			t.Errorf("%v: %q", c, got)
		}
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add(rule("<AllowedHeader>*</AllowedHeader>"), "http://a", "GET", "x")
	f.Add(rules("<CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>a*b</AllowedOrigin></CORSRule>"), "ab", "PUT", "")
	f.Fuzz(func(t *testing.T, doc, origin, method, header string) {
		c, err := Parse([]byte(doc))
		if err != nil || c.Check() != nil {
			return
		}
		if g, ok := c.Allow(Request{origin, method, []string{header}}); ok && g.Origin != "*" && g.Origin != origin {
			t.Errorf("allowed %q for %q", g.Origin, origin)
		}
		again, err := xml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = Parse(again); err != nil || c.Check() != nil {
			t.Errorf("%q is not read again: %v", again, err)
		}
	})
}
