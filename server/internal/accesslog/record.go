package accesslog

import (
	"strconv"
	"time"
)

// Record is a request that was answered. An empty string, and a number below zero, is not known and written as "-".
type Record struct {
	Owner     string // of the bucket, a canonical id
	Bucket    string
	Time      time.Time // when the request came
	RemoteIP  string
	Requester string // canonical id, or ARN of a user
	RequestID string
	Operation string // "REST.GET.OBJECT"
	Key       string // URL-encoded
	URI       string // the request line, without secrets
	Status    int
	Code      string // S3's error code
	Sent      int64  // bytes of the answer's body
	Size      int64  // of the object
	Took      time.Duration
	Referer   string
	UserAgent string
	VersionID string
	HostID    string
	Signature string // "SigV4", "SigV2"
	Cipher    string
	AuthType  string // "AuthHeader", "QueryString"
	Host      string
	TLS       string // "TLSv1.3"
}

// Append appends the record as a line of a log: the fields of AWS's format, in its order.
func (r *Record) Append(b []byte) []byte {
	b = field(b, r.Owner)
	b = field(b, r.Bucket)
	b = append(r.Time.UTC().AppendFormat(append(b, '['), "02/Jan/2006:15:04:05 -0700"), "] "...)
	for _, s := range []string{r.RemoteIP, r.Requester, r.RequestID, r.Operation, r.Key} {
		b = field(b, s)
	}
	b = quoted(b, r.URI)
	b = number(b, int64(r.Status))
	b = field(b, r.Code)
	b = number(b, max(r.Sent, 0))
	b = number(b, r.Size)
	b = number(b, r.Took.Milliseconds())
	b = append(b, "- "...) // turn-around time
	b = quoted(b, r.Referer)
	b = quoted(b, r.UserAgent)
	for _, s := range []string{r.VersionID, r.HostID, r.Signature, r.Cipher, r.AuthType, r.Host, r.TLS} {
		b = field(b, s)
	}
	return append(b, "- -\n"...) // access point, whether an ACL was needed
}

func number(b []byte, n int64) []byte {
	if n < 0 {
		return append(b, "- "...)
	}
	return append(strconv.AppendInt(b, n, 10), ' ')
}

func field(b []byte, s string) []byte {
	if s == "" {
		return append(b, "- "...)
	}
	return append(escape(b, s), ' ')
}

func quoted(b []byte, s string) []byte {
	if s == "" {
		return append(b, "- "...)
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == ' ' {
			b = append(b, ' ')
			continue
		}
		b = escape(b, s[i:i+1])
	}
	return append(b, '"', ' ')
}

// escape keeps a value of a client from looking like more fields, or more lines.
func escape(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c >= 0x7f {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
