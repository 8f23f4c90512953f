package s3api

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"pail/server/internal/s3err"
	"pail/server/internal/sigauth"
)

const (
	defaultRegion = "us-east-1"
	maxKeyLength  = 1024 // bytes

	// maxHeaderBytes bounds a request's URI and headers. AWS documents 8 KB for a PUT; session tokens and proxies
	// add to that.
	maxHeaderBytes = 32 << 10
)

// request is one request on its way through the server.
type request struct {
	api  *API
	http *http.Request
	w    *answer
	body *bodyReader
	id   string

	bucket, key string
	query       url.Values
	op          *op
	opName      string // op.name, or "Unknown"

	identity sigauth.Identity
	access   *access         // of the bucket; nil where the request is about none
	hide     func() bool     // whether a missing key must look like one that is not allowed; nil: never
	pending  *objectQuestion // that a read answers by the object it finds; nil: none
	given    bodyValues      // what the body gives an object
	payload  *sigauth.Payload
	code     string // of the error answered
	size     int64  // of the object that is answered or was made, if it is sized
	sized    bool
	site     *site // nil but for a website's
}

func (r *request) scope() scope {
	switch {
	case r.bucket == "":
		return onService
	case r.key == "":
		return onBucket
	}
	return onObject
}

// parse reads bucket, key and query from the request line and the Host header.
func (r *request) parse() error {
	if headerSize(r.http) > maxHeaderBytes {
		return s3err.New(s3err.RequestHeaderSectionTooLarge)
	}
	rawPath, rawQuery := splitURI(r.http.RequestURI)
	path, err := unescape(rawPath)
	if err != nil {
		return err
	}
	if r.query, err = parseQuery(rawQuery); err != nil {
		return err
	}
	path = strings.TrimPrefix(path, "/")
	if bucket, ok := r.api.hostBucket(r.http.Host); ok {
		r.bucket, r.key = bucket, path
	} else {
		r.bucket, r.key, _ = strings.Cut(path, "/")
		if r.bucket == "" && r.key != "" {
			return s3err.New(s3err.InvalidBucketName).With("BucketName", "")
		}
	}
	return checkKey(r.key)
}

func headerSize(hr *http.Request) int {
	n := len(hr.RequestURI)
	for name, values := range hr.Header {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

func checkKey(key string) error {
	if len(key) > maxKeyLength {
		return s3err.New(s3err.KeyTooLongError).With("Size", itoa(len(key))).With("MaxSizeAllowed", itoa(maxKeyLength))
	}
	return nil
}

// splitURI cuts a request target into raw path and raw query, without any cleaning. An absolute target, as proxies
// send it, loses scheme and host.
func splitURI(uri string) (path, query string) {
	if !strings.HasPrefix(uri, "/") {
		if _, rest, ok := strings.Cut(uri, "://"); ok {
			if i := strings.IndexAny(rest, "/?"); i >= 0 {
				uri = rest[i:]
			} else {
				uri = "/"
			}
		}
	}
	path, query, _ = strings.Cut(uri, "?")
	return path, query
}

// unescape decodes %-escapes once. "+" stays itself.
func unescape(s string) (string, error) {
	out, err := url.PathUnescape(s)
	if err != nil {
		return "", s3err.New(s3err.InvalidURI).With("URI", s)
	}
	return out, nil
}

// parseQuery is url.ParseQuery that takes ";" for an ordinary byte and refuses bad escapes.
func parseQuery(raw string) (url.Values, error) {
	if raw == "" {
		return nil, nil
	}
	values := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, s3err.New(s3err.InvalidURI).With("URI", "?"+raw)
		}
		values[name] = append(values[name], value)
	}
	return values, nil
}

// hostBucket gives the bucket of a virtual-host style request: the labels before one of the API's domains.
func (a *API) hostBucket(host string) (string, bool) {
	if len(a.domains) == 0 {
		return "", false
	}
	bucket, _, ok := below(hostName(host), a.domains)
	return bucket, ok
}

// hostName is the name in a Host header, in lower case.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// below cuts a host name into the labels before the longest of the domains, and that domain.
func below(host string, domains []string) (labels, domain string, ok bool) {
	for _, d := range domains {
		if l, found := strings.CutSuffix(host, "."+d); found && l != "" && len(d) > len(domain) {
			labels, domain, ok = l, d, true
		}
	}
	return labels, domain, ok
}

// resource is the path that error documents name.
func (r *request) resource() string {
	if r.bucket == "" {
		return "/"
	}
	if r.key == "" {
		return "/" + r.bucket
	}
	return "/" + r.bucket + "/" + r.key
}

// redactURI takes the secrets of a presigned URL out of a request target, for logs, however their names are escaped.
func redactURI(uri string) string {
	path, query, ok := strings.Cut(uri, "?")
	if !ok {
		return uri
	}
	pairs := strings.Split(query, "&")
	for i, p := range pairs {
		name, _, _ := strings.Cut(p, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = "signature" // nobody's that could be told
		}
		switch strings.ToLower(plain) {
		case "x-amz-signature", "signature", "x-amz-security-token", "x-amz-server-side-encryption-customer-key",
			"x-amz-copy-source-server-side-encryption-customer-key":
			pairs[i] = name + "=..."
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}

// arg gives a query parameter's first value.
func (r *request) arg(name string) string { return r.query.Get(name) }

// header gives a request header's first value.
func (r *request) header(name string) string { return r.http.Header.Get(name) }
