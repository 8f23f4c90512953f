package s3client

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxPatchRanges is how many ranges a Patch may have.
const MaxPatchRanges = 256

// PatchOptions say what a Patch makes of the object that IfMatch names. Ranges are in order and do not overlap; what lies
// behind the old end is in one of them. Size is the new object's.
type PatchOptions struct {
	PutOptions
	Ranges []Range
	Size   int64
}

// RangesText gives the ranges as the service reads them.
func (o *PatchOptions) RangesText() string {
	var b strings.Builder
	for i, r := range o.Ranges {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(r.Off, 10) + "+" + strconv.FormatInt(r.Len, 10))
	}
	return b.String()
}

// Tag gives what stands before the dash in the ETag of the new object, where the service does not encrypt it: sum is the
// MD5 of the body.
func (o *PatchOptions) Tag(sum []byte) string {
	text := "pail patch " + string(o.IfMatch) + " " + strconv.FormatInt(o.Size, 10) + " " + o.RangesText() + " " + hex.EncodeToString(sum)
	tag := md5.Sum([]byte(text))
	return hex.EncodeToString(tag[:])
}
