package s3api

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// span is the part of an object that an answer carries.
type span struct {
	off, length int64
	status      int // 200 or 206
}

// span picks the bytes that the request asks for. S3 ignores a Range that it cannot parse or that names several ranges.
func (r *request) span(g reading, o *store.Object) (span, error) {
	whole := span{length: o.Size, status: http.StatusOK}
	if g.part > 0 {
		off, n, err := o.PartRange(g.part)
		if err != nil {
			return span{}, s3err.New(s3err.InvalidPartNumber).With("PartNumberRequested", itoa(g.part)).
				With("ActualPartCount", itoa(max(o.PartCount, 1)))
		}
		if o.Size == 0 {
			return whole, nil
		}
		return span{off: off, length: n, status: http.StatusPartialContent}, nil
	}
	if g.rng == "" || !r.ifRange(o) {
		return whole, nil
	}
	off, n, state := parseRange(g.rng, o.Size)
	switch state {
	case rangeIgnored:
		return whole, nil
	case rangeUnsatisfiable:
		r.w.Header().Set("Content-Range", "bytes */"+itoa64(o.Size))
		return span{}, s3err.New(s3err.InvalidRange).With("RangeRequested", g.rng).With("ActualObjectSize", itoa64(o.Size))
	}
	return span{off: off, length: n, status: http.StatusPartialContent}, nil
}

// ifRange reports whether If-Range, where it is given, names this version (RFC 9110, 13.1.5).
func (r *request) ifRange(o *store.Object) bool {
	v := r.header("If-Range")
	if v == "" {
		return true
	}
	if t, err := http.ParseTime(v); err == nil {
		return o.LastModified.UTC().Truncate(time.Second).Equal(t)
	}
	return v == `"`+o.ETag+`"`
}

type rangeState int

const (
	rangeOK rangeState = iota
	rangeIgnored
	rangeUnsatisfiable
)

// parseRange reads "bytes=a-b", "bytes=a-" or "bytes=-n" for an object of size bytes.
func parseRange(header string, size int64) (off, length int64, state rangeState) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, 0, rangeIgnored
	}
	if first == "" {
		n, ok := parseOffset(last)
		switch {
		case !ok:
			return 0, 0, rangeIgnored
		case n == 0 || size == 0:
			return 0, 0, rangeUnsatisfiable
		}
		n = min(n, size)
		return size - n, n, rangeOK
	}
	off, ok = parseOffset(first)
	if !ok {
		return 0, 0, rangeIgnored
	}
	end := size - 1
	if last != "" {
		e, ok := parseOffset(last)
		if !ok || e < off {
			return 0, 0, rangeIgnored
		}
		end = min(e, end)
	}
	if off >= size {
		return 0, 0, rangeUnsatisfiable
	}
	return off, end - off + 1, rangeOK
}

// parseOffset reads digits; a number too large for any object is the largest offset.
func parseOffset(v string) (int64, bool) {
	n, err := strconv.ParseUint(v, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxInt64, true
	}
	return int64(n), err == nil
}
