package awss3

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// target is where requests go; it is replaced as a whole when a region is adopted.
type target struct {
	scheme  string
	host    string // with the bucket, if it goes there
	prefix  string // path before "/key", as it is; "" or "/..."
	escaped string // the same, escaped
	region  string
	service string // of the signature

	bucketInHost bool
	endpoint     int // which of the client's endpoints it is
}

const (
	defaultRegion = "us-east-1"
	expressSuffix = "--x-s3" // of directory buckets (S3 Express One Zone)
)

// newTarget works out host and path. adopted is the region that the service named, "" at first.
func newTarget(opt *Options, adopted string) (*target, error) {
	endpoint := opt.Endpoint
	if endpoint == "" {
		endpoint = DefaultEndpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("endpoint %q is not of the form http://HOST or https://HOST", endpoint)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("endpoint holds more than scheme, host and path")
	}
	region := cmp.Or(adopted, opt.Region, regionOf(u.Host), defaultRegion)
	t := &target{scheme: u.Scheme, host: u.Host, region: region, service: "s3"}
	t.prefix = cleanPrefix(u.Path) + cleanPrefix(opt.ServicePath)
	if strings.HasSuffix(opt.Bucket, expressSuffix) {
		t.service = "s3express"
	}
	t.host = awsHost(t.host, opt.Bucket, region, adopted != "")
	if opt.PathStyle || !virtualHostWorks(opt.Bucket, u.Scheme, u.Hostname()) {
		t.prefix += "/" + opt.Bucket
	} else {
		t.host = opt.Bucket + "." + t.host
		t.bucketInHost = true
	}
	t.escaped = escapePath(t.prefix)
	return t, nil
}

// cleanPrefix returns p as "" or "/a/b".
func cleanPrefix(p string) string {
	p = strings.Trim(p, "/")
	if p == "" {
		return ""
	}
	return "/" + p
}

// awsHost puts the region into the host names of AWS. Other hosts stay, and so does a regional one unless the bucket
// turned out to be elsewhere (adopted).
func awsHost(host, bucket, region string, adopted bool) string {
	name, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		return host
	}
	if base, ok := strings.CutSuffix(bucket, expressSuffix); ok && name == "s3" {
		zone := base[strings.LastIndex(base, "--")+len("--"):]
		return "s3express-" + zone + "." + region + ".amazonaws.com"
	}
	if name == "s3" && region == defaultRegion || name != "s3" && (!adopted || regionOf(host) == "") {
		return host
	}
	return "s3." + region + ".amazonaws.com"
}

// regionOf returns the region in s3.REGION.amazonaws.com and s3-REGION.amazonaws.com, "" in all others.
func regionOf(host string) string {
	name, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		return ""
	}
	rest, ok := strings.CutPrefix(name, "s3.")
	if !ok {
		rest, ok = strings.CutPrefix(name, "s3-")
	}
	if !ok || strings.Count(rest, "-") < 2 || strings.Contains(rest, ".") || strings.HasPrefix(rest, "fips") {
		return ""
	}
	return rest
}

func virtualHostWorks(bucket, scheme, host string) bool {
	if net.ParseIP(host) != nil || !strings.Contains(host, ".") {
		return false
	}
	return len(bucket) <= 63 && isDNSName(bucket) && (scheme == "http" || !strings.Contains(bucket, "."))
}

func isDNSName(s string) bool {
	if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// url is that of an object, or with an empty key the bucket's.
func (t *target) url(key, query string) *url.URL {
	u := &url.URL{Scheme: t.scheme, Host: t.host, RawQuery: query}
	if key == "" {
		u.Path, u.RawPath = cmp.Or(t.prefix, "/"), cmp.Or(t.escaped, "/")
	} else {
		u.Path, u.RawPath = t.prefix+"/"+key, t.escaped+"/"+escapePath(key)
	}
	if u.RawPath == u.Path {
		u.RawPath = ""
	}
	return u
}

// escapePath escapes all bytes but the unreserved ones of RFC 3986 and "/", as the signature wants them.
func escapePath(s string) string { return escape(s, true) }

// escapeQuery escapes "/" too.
func escapeQuery(s string) string { return escape(s, false) }

func escape(s string, keepSlash bool) string {
	n := 0
	for i := range len(s) {
		if !unreserved(s[i]) && !(keepSlash && s[i] == '/') {
			n++
		}
	}
	if n == 0 {
		return s
	}
	const hexdigits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; unreserved(c) || keepSlash && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', hexdigits[c>>4], hexdigits[c&15])
		}
	}
	return string(b)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}
