package cors

import (
	"encoding/xml"
	"slices"
	"strings"
	"unicode/utf8"

	"pail/server/internal/s3err"
)

// Bounds of a configuration.
const (
	maxRules = 100
	maxID    = 255
)

var methods = []string{"GET", "PUT", "POST", "DELETE", "HEAD"}

// Configuration is the body of PutBucketCors.
type Configuration struct {
	XMLName xml.Name `xml:"CORSConfiguration"`
	Rules   []Rule   `xml:"CORSRule"`
}

// Rule allows what each of its lists allows.
type Rule struct {
	ID             string   `xml:",omitempty"`
	AllowedHeaders []string `xml:"AllowedHeader"`
	AllowedMethods []string `xml:"AllowedMethod"`
	AllowedOrigins []string `xml:"AllowedOrigin"`
	ExposeHeaders  []string `xml:"ExposeHeader"`
	MaxAgeSeconds  *int     `xml:",omitempty"`
}

// Parse reads a configuration that was checked before.
func Parse(document []byte) (*Configuration, error) {
	c := new(Configuration)
	return c, xml.Unmarshal(document, c)
}

// Check tells what S3 would refuse in the configuration.
func (c *Configuration) Check() error {
	if len(c.Rules) == 0 {
		return s3err.New(s3err.MalformedXML)
	}
	if len(c.Rules) > maxRules {
		return s3err.Newf(s3err.InvalidRequest, "The number of CORS rules should not exceed allowed limit of %d rules.", maxRules)
	}
	for i := range c.Rules {
		if err := c.Rules[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rule) check() error {
	if len(r.AllowedMethods) == 0 || len(r.AllowedOrigins) == 0 || utf8.RuneCountInString(r.ID) > maxID ||
		r.MaxAgeSeconds != nil && *r.MaxAgeSeconds < 0 {
		return s3err.New(s3err.MalformedXML)
	}
	for _, m := range r.AllowedMethods {
		if !slices.Contains(methods, m) {
			return s3err.Newf(s3err.InvalidRequest, "Found unsupported HTTP method in CORS config. Unsupported method is %s", m)
		}
	}
	for _, o := range r.AllowedOrigins {
		if strings.Count(o, "*") > 1 {
			return s3err.Newf(s3err.InvalidRequest, "AllowedOrigin \"%s\" can not have more than one wildcard.", o)
		}
	}
	for _, h := range r.AllowedHeaders {
		if strings.Count(h, "*") > 1 {
			return s3err.Newf(s3err.InvalidRequest, "AllowedHeader \"%s\" can not have more than one wildcard.", h)
		}
	}
	for _, h := range r.ExposeHeaders {
		if strings.Contains(h, "*") {
			return s3err.Newf(s3err.InvalidRequest, "ExposeHeader \"%s\" contains wildcard. We currently do not support wildcard for ExposeHeader.", h)
		}
	}
	return nil
}

// Request is what a browser says of a request of another site's page. Headers are those that a preflight names.
type Request struct {
	Origin, Method string
	Headers        []string
}

// Grant is what the answer tells the browser.
type Grant struct {
	Rule        *Rule
	Origin      string // for Access-Control-Allow-Origin
	Credentials bool   // Access-Control-Allow-Credentials: the origin is not just any
}

// Allow finds the first rule that allows the request.
func (c *Configuration) Allow(q Request) (Grant, bool) {
	for i := range c.Rules {
		r := &c.Rules[i]
		if !slices.Contains(r.AllowedMethods, q.Method) || !r.allowsHeaders(q.Headers) {
			continue
		}
		for _, pattern := range r.AllowedOrigins {
			switch {
			case pattern == "*":
				return Grant{Rule: r, Origin: "*"}, true
			case match(pattern, q.Origin):
				return Grant{Rule: r, Origin: q.Origin, Credentials: true}, true
			}
		}
	}
	return Grant{}, false
}

func (r *Rule) allowsHeaders(names []string) bool {
	for _, name := range names {
		allowed := slices.ContainsFunc(r.AllowedHeaders, func(pattern string) bool {
			return match(strings.ToLower(pattern), strings.ToLower(name))
		})
		if !allowed {
			return false
		}
	}
	return true
}

// match compares s with a pattern that has one "*" at most.
func match(pattern, s string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == s
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}
