package s3api

import (
	"net/http"
	"strings"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// objectAttributes are the names that GetObjectAttributes knows.
var objectAttributes = map[string]bool{"ETag": true, "Checksum": true, "ObjectParts": true, "StorageClass": true, "ObjectSize": true}

// attributesQuery is what GetObjectAttributes asks for.
type attributesQuery struct {
	names      map[string]bool
	after, max int // of parts
}

func (r *request) attributesQuery() (q attributesQuery, err error) {
	q.names = map[string]bool{}
	for _, v := range r.http.Header.Values("X-Amz-Object-Attributes") {
		for name := range strings.SplitSeq(v, ",") {
			name = strings.TrimSpace(name)
			if !objectAttributes[name] {
				return q, invalidArgument("x-amz-object-attributes", name, "Invalid attribute name specified.")
			}
			q.names[name] = true
		}
	}
	if len(q.names) == 0 {
		return q, s3err.Newf(s3err.InvalidRequest, "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	}
	if q.max, err = count("x-amz-max-parts", r.header("X-Amz-Max-Parts"), maxKeys, maxKeys); err != nil {
		return q, err
	}
	q.after, err = count("x-amz-part-number-marker", r.header("X-Amz-Part-Number-Marker"), 0, maxParts)
	return q, err
}

func getObjectAttributes(r *request) error {
	q, err := r.attributesQuery()
	if err != nil {
		return err
	}
	key, err := r.customerKey(customerPrefix)
	if err != nil {
		return err
	}
	in := readInput(r)
	in.Cond, in.Parts = r.readConditions(), q.names["ObjectParts"]
	o, err := r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, in)
	if err != nil {
		return err
	}
	if err := r.readKey(&o, key); err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("Last-Modified", o.LastModified.UTC().Format(http.TimeFormat))
	set(h, "X-Amz-Version-Id", o.VersionID)
	x := r.doc()
	x.root("GetObjectAttributesResponse")
	if q.names["ETag"] {
		x.text("ETag", o.ETag) // without quotes here
	}
	if q.names["Checksum"] && !o.Checksum.IsZero() {
		x.open("Checksum")
		x.checksum(o.Checksum, o.ChecksumType)
		x.close("Checksum")
	}
	if q.names["ObjectParts"] && o.PartCount > 0 {
		x.objectParts(&o, q)
	}
	if q.names["StorageClass"] {
		x.text("StorageClass", storageClass(o.Attrs.StorageClass))
	}
	if q.names["ObjectSize"] {
		x.int("ObjectSize", o.Size)
	}
	x.close("GetObjectAttributesResponse")
	return r.send(http.StatusOK, x)
}

// objectParts writes the number of parts, and the parts themselves where the object has checksums of them, as AWS does.
func (x *xmlBuf) objectParts(o *store.Object, q attributesQuery) {
	x.open("ObjectParts")
	x.int("PartsCount", int64(o.PartCount))
	if !o.Checksum.IsZero() {
		page, more := partsPage(o.Parts, q)
		next := q.after
		if len(page) > 0 {
			next = page[len(page)-1].N
		}
		x.int("PartNumberMarker", int64(q.after))
		x.int("NextPartNumberMarker", int64(next))
		x.int("MaxParts", int64(q.max))
		x.bool("IsTruncated", more)
		for _, p := range page {
			x.open("Part")
			x.checksum(p.Checksum, "")
			x.int("PartNumber", int64(p.N))
			x.int("Size", p.Size)
			x.close("Part")
		}
	}
	x.close("ObjectParts")
}

// partsPage cuts the page out of all parts, and reports whether some are left.
func partsPage(parts []store.PartInfo, q attributesQuery) (page []store.PartInfo, more bool) {
	for i, p := range parts {
		if p.N > q.after {
			n := min(q.max, len(parts)-i)
			return parts[i : i+n], i+n < len(parts)
		}
	}
	return nil, false
}
