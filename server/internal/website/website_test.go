package website

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pail/server/internal/s3err"
)

func parse(t testing.TB, inner string) *Configuration {
	t.Helper()
	c, err := Parse([]byte("<WebsiteConfiguration>" + inner + "</WebsiteConfiguration>"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const index = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"

func rules(list ...string) string {
	return index + "<RoutingRules><RoutingRule>" + strings.Join(list, "</RoutingRule><RoutingRule>") + "</RoutingRule></RoutingRules>"
}

func TestCheck(t *testing.T) {
	const to = "<Redirect><HostName>h</HostName></Redirect>"
	for _, c := range []struct{ doc, code string }{
		{index, ""},
		{index + "<ErrorDocument><Key>errors/404.html</Key></ErrorDocument>", ""},
		{rules(to), ""},
		{rules(strings.Repeat(to+"</RoutingRule><RoutingRule>", 49) + to), ""},
		{"<RedirectAllRequestsTo><HostName>h</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>", ""},
		{rules("<Condition><KeyPrefixEquals/></Condition><Redirect><ReplaceKeyPrefixWith/></Redirect>"), ""},
		{rules("<Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect><HttpRedirectCode>307</HttpRedirectCode></Redirect>"), ""},

		{"", "InvalidArgument"},
		{"<ErrorDocument><Key>e</Key></ErrorDocument>", "InvalidArgument"},
		{"<IndexDocument><Suffix/></IndexDocument>", "InvalidArgument"},
		{"<IndexDocument><Suffix>a/b</Suffix></IndexDocument>", "InvalidArgument"},
		{index + "<ErrorDocument/>", "MalformedXML"},
		{index + "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>", "InvalidArgument"},
		{"<RedirectAllRequestsTo/>", "MalformedXML"},
		{"<RedirectAllRequestsTo><HostName>h</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo>", "InvalidRequest"},
		{index + "<RoutingRules/>", "MalformedXML"},
		{rules("<Redirect/>"), "MalformedXML"},
		{rules(strings.Repeat(to+"</RoutingRule><RoutingRule>", 50) + to), "InvalidRequest"},
		{rules("<Condition/>" + to), "InvalidRequest"},
		{rules("<Redirect><Protocol>gopher</Protocol></Redirect>"), "InvalidRequest"},
		{rules("<Redirect><HttpRedirectCode>300</HttpRedirectCode></Redirect>"), "InvalidRequest"},
		{rules("<Redirect><HttpRedirectCode>+301</HttpRedirectCode></Redirect>"), "InvalidRequest"},
		{rules("<Redirect><ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith></Redirect>"), "InvalidRequest"},
		{rules("<Condition><HttpErrorCodeReturnedEquals>302</HttpErrorCodeReturnedEquals></Condition>" + to), "InvalidRequest"},
	} {
		err := parse(t, c.doc).Check()
		if got := code(err); got != c.code {
			t.Errorf("%s: %v, want %s", c.doc, err, c.code)
		}
	}
}

func code(err error) string {
	if e, ok := err.(*s3err.Error); ok {
		return string(e.Code)
	}
	return ""
}

func TestRedirects(t *testing.T) {
	const prefix, missing = "<Condition><KeyPrefixEquals>docs/</KeyPrefixEquals></Condition>",
		"<Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>"
	all := "<RedirectAllRequestsTo><HostName>other.test</HostName></RedirectAllRequestsTo>"
	for _, c := range []struct {
		doc    string
		q      Request
		status int // of the answer that failed, 0: before
		want   string
	}{
		{index, Request{Key: "a"}, 0, ""},
		{index, Request{Key: "a"}, 404, ""},
		{all, Request{Key: "a b/ü?", Query: "x=1&y=%20", Host: "h:1"}, 0, "301 http://other.test/a%20b/%C3%BC%3F?x=1&y=%20"},
		{all, Request{Secure: true}, 0, "301 https://other.test/"},
		{strings.Replace(all, "</HostName>", "</HostName><Protocol>https</Protocol>", 1), Request{Key: "k"}, 0, "301 https://other.test/k"},
		{rules(prefix + "<Redirect><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect>"), Request{Host: "h:1", Key: "docs/a"}, 0, "301 http://h:1/documents/a"},
		{rules(prefix + "<Redirect><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect>"), Request{Host: "h:1", Key: "doc"}, 0, ""},
		{rules(prefix + "<Redirect><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect>"), Request{Host: "h:1", Key: "docs/a"}, 404, ""},
		{rules(prefix + "<Redirect><ReplaceKeyPrefixWith/><HttpRedirectCode>302</HttpRedirectCode></Redirect>"), Request{Host: "h", Key: "docs/a", Query: "q"}, 0, "302 http://h/a?q"},
		{rules("<Redirect><ReplaceKeyPrefixWith>/new/</ReplaceKeyPrefixWith></Redirect>"), Request{Host: "h", Key: "a"}, 0, "301 http://h/new/a"},
		{rules("<Redirect><ReplaceKeyWith>?page=a b</ReplaceKeyWith></Redirect>"), Request{Host: "h", Key: "a", Query: "q"}, 0, "301 http://h/?page=a%20b"},
		{rules(missing + "<Redirect><HostName>x</HostName><ReplaceKeyPrefixWith>#!/</ReplaceKeyPrefixWith></Redirect>"), Request{Host: "h", Key: "a"}, 404, "301 http://x/#!/a"},
		{rules(missing + "<Redirect><HostName>x</HostName></Redirect>"), Request{Host: "h", Key: "a"}, 403, ""},
		{rules(missing + "<Redirect><HostName>x</HostName></Redirect>"), Request{Host: "h", Key: "a"}, 0, ""},
		{rules(prefix+"<Redirect><HostName>first</HostName></Redirect>", "<Redirect><HostName>second</HostName></Redirect>"), Request{Key: "docs/"}, 0, "301 http://first/docs/"},
		{rules(prefix+"<Redirect><HostName>first</HostName></Redirect>", "<Redirect><HostName>second</HostName></Redirect>"), Request{}, 0, "301 http://second/"},
	} {
		conf := parse(t, c.doc)
		if err := conf.Check(); err != nil {
			t.Fatalf("%s: %v", c.doc, err)
		}
		target, ok := conf.Before(c.q)
		if c.status != 0 {
			target, ok = conf.After(c.q, c.status)
		}
		got := ""
		if ok {
			got = fmt.Sprint(target.Status, " ", target.Location)
		}
		if got != c.want {
			t.Errorf("%s %+v: %q, want %q", c.doc, c.q, got, c.want)
		}
	}
}

func TestKey(t *testing.T) {
	c := parse(t, index)
	for path, want := range map[string]string{"": "index.html", "a": "a", "a/": "a/index.html", "/": "/index.html"} {
		if got := c.Key(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// FuzzConfiguration: what passes Check redirects to one line of a URL, whatever the visitor asks for.
func FuzzConfiguration(f *testing.F) {
	f.Add(rules("<Condition><KeyPrefixEquals>a</KeyPrefixEquals></Condition><Redirect><HostName>h</HostName><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"), "a\r\nX: y", "q\n")
	f.Add("<RedirectAllRequestsTo><HostName>h&#10;X: y</HostName></RedirectAllRequestsTo>", "a", "")
	f.Add(index, "", "")
	f.Fuzz(func(t *testing.T, doc, key, query string) {
		var c Configuration
		if xml.Unmarshal([]byte("<WebsiteConfiguration>"+doc+"</WebsiteConfiguration>"), &c) != nil || c.Check() != nil {
			return
		}
		q := Request{Host: "host", Key: key, Query: query}
		for _, status := range []int{0, 403, 404} {
			target, ok := c.After(q, status)
			if status == 0 {
				target, ok = c.Before(q)
			}
			if !ok {
				continue
			}
			if target.Status < 301 || target.Status > 399 || strings.ContainsFunc(target.Location, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
				t.Errorf("%s: %+v", doc, target)
			}
			if u, err := url.Parse(target.Location); err == nil && u.Scheme != "http" && u.Scheme != "https" {
				t.Errorf("%s: %+v", doc, target)
			}
		}
		if c.IndexDocument != nil {
			_ = c.Key(key)
		}
	})
}
