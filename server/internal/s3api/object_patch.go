package s3api

import (
	"net/http"
	"strings"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// The headers of PatchObject: where the bytes of the body go, as OFFSET+LENGTH with commas in between, and how long the
// object is to be.
const (
	patchRanges = "X-Amz-Patch-Ranges"
	patchSize   = "X-Amz-Patch-Size"
)

// patchObject makes a new version of an object, with what a PutObject would say of it, of the version that If-Match
// names and some other bytes. It is a POST so that no service that does not know it takes the bytes for the whole object.
func patchObject(r *request) error {
	in := store.PatchInput{}
	var err error
	if in.Ranges, err = parsePatchRanges(r.header(patchRanges)); err != nil {
		return err
	}
	var ok bool
	if in.ObjectSize, ok = parseSize(r.header(patchSize)); !ok {
		return invalidArgument("x-amz-patch-size", r.header(patchSize), "x-amz-patch-size must be a number of bytes")
	}
	if in.PutInput, err = r.putInput(func() (*upload, error) { return r.upload(maxPutSize) }); err != nil {
		return err
	}
	if tags := in.Cond.IfMatch; len(tags) != 1 || tags[0] == "*" || len(in.Cond.IfNoneMatch) > 0 {
		return s3err.Newf(s3err.InvalidRequest, "PatchObject needs an If-Match header with the ETag of one version, and no other condition.")
	}
	o, err := r.api.store.PatchObject(r.http.Context(), in)
	if err != nil {
		return err
	}
	r.putHeaders(&o)
	r.w.Header().Set("X-Amz-Object-Size", itoa64(o.Size))
	return r.empty(http.StatusOK)
}

func parsePatchRanges(text string) (list []store.Range, err error) {
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		off, n, both := strings.Cut(one, "+")
		a, ok1 := parseSize(off)
		b, ok2 := parseSize(n)
		if !both || !ok1 || !ok2 {
			return nil, invalidArgument("x-amz-patch-ranges", one, "x-amz-patch-ranges must be OFFSET+LENGTH, with commas in between")
		}
		if list = append(list, store.Range{Off: a, Len: b}); len(list) > store.MaxPatchRanges {
			return nil, invalidArgument("x-amz-patch-ranges", itoa(len(list)), "x-amz-patch-ranges has too many ranges")
		}
	}
	return list, nil
}
