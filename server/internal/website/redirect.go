package website

import (
	"net/http"
	"strconv"
	"strings"
)

// Request is what a visitor asks for.
type Request struct {
	Secure bool   // over HTTPS
	Host   string // of the request, with its port
	Key    string // its path without the first slash, decoded
	Query  string // as it came, without "?"
}

// Target is where a visitor is sent.
type Target struct {
	Status   int
	Location string // fit for a header
}

// Key gives the object that a path means, which comes without its first slash.
func (c *Configuration) Key(path string) string {
	if path == "" || strings.HasSuffix(path, "/") {
		return path + c.IndexDocument.Suffix
	}
	return path
}

// Before tells where the request is sent without an object being looked for.
func (c *Configuration) Before(q Request) (Target, bool) {
	if all := c.RedirectAllRequestsTo; all != nil {
		return Target{http.StatusMovedPermanently, q.url(all.Protocol, all.HostName, Path(q.Key))}, true
	}
	return c.route(q, 0)
}

// After tells where the request is sent because it would be answered with an error of that status.
func (c *Configuration) After(q Request, status int) (Target, bool) { return c.route(q, status) }

// route finds the first rule for the request; status is 0 before the object was looked for.
func (c *Configuration) route(q Request, status int) (Target, bool) {
	if c.RoutingRules == nil {
		return Target{}, false
	}
	for i := range c.RoutingRules.Rules {
		if r := &c.RoutingRules.Rules[i]; r.Condition.holds(q.Key, status) {
			return r.target(q), true
		}
	}
	return Target{}, false
}

func (c *Condition) holds(key string, status int) bool {
	if c == nil {
		return status == 0
	}
	if c.HTTPErrorCodeReturnedEquals == nil {
		return status == 0 && strings.HasPrefix(key, *c.KeyPrefixEquals)
	}
	return strconv.Itoa(status) == *c.HTTPErrorCodeReturnedEquals && (c.KeyPrefixEquals == nil || strings.HasPrefix(key, *c.KeyPrefixEquals))
}

func (r *Rule) target(q Request) Target {
	d := &r.Redirect
	path := Path(q.Key)
	switch {
	case d.ReplaceKeyWith != nil:
		path = Header(*d.ReplaceKeyWith)
	case d.ReplaceKeyPrefixWith != nil:
		rest := q.Key
		if c := r.Condition; c != nil && c.KeyPrefixEquals != nil {
			rest = rest[len(*c.KeyPrefixEquals):]
		}
		path = Header(*d.ReplaceKeyPrefixWith) + Path(rest)
	}
	status, err := strconv.Atoi(d.HTTPRedirectCode)
	if err != nil { // none is given
		status = http.StatusMovedPermanently
	}
	return Target{status, q.url(d.Protocol, d.HostName, path)}
}

// url puts a target together. What a configuration gives as a new key may have a query or a fragment of its own.
func (q Request) url(protocol, host, path string) string {
	if protocol == "" {
		protocol = "http"
		if q.Secure {
			protocol = "https"
		}
	}
	if host == "" {
		host = q.Host
	}
	url := protocol + "://" + Header(host) + "/" + strings.TrimPrefix(path, "/")
	if q.Query != "" && !strings.ContainsAny(path, "?#") {
		url += "?" + Header(q.Query)
	}
	return url
}

// Path makes a key the path of a URL.
func Path(key string) string {
	return encode(key, func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/-._~!$&'()*+,;=:@", c) >= 0
	})
}

// Header makes what somebody wrote as a URL, or as a part of one, fit for a header: escapes stay.
func Header(s string) string {
	return encode(s, func(c byte) bool { return c > ' ' && c < 0x7f && strings.IndexByte(`"<>\^{|}`+"`", c) < 0 })
}

func encode(s string, plain func(byte) bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteString(string([]byte{'%', digits[c>>4], digits[c&15]}))
		}
	}
	return b.String()
}
