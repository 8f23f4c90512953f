package s3api

import (
	"net/http"

	"pail/server/internal/store"
)

const objectsToken = "objects"

// listing is a parsed ListObjects or ListObjectsV2 request.
type listing struct {
	prefix, delimiter string
	after             string // exclusive
	max               int
	encode            bool // encoding-type=url
	owner             bool // show owners
	meta              bool // V2's metadata=true, an extension that MinIO began
}

func (r *request) listing() (listing, error) {
	l := listing{prefix: r.arg("prefix"), delimiter: r.arg("delimiter")}
	most := maxKeys
	if l.meta = r.arg("list-type") == "2" && r.arg("metadata") == "true"; l.meta {
		most = maxMetaKeys
	}
	var err error
	if l.max, err = r.countArg("max-keys", maxKeys, most); err != nil {
		return l, err
	}
	l.encode, err = r.urlEncoding()
	return l, err
}

// page is what a listing found.
type page struct {
	store.ListResult         // without Objects, which are in the XML already
	objects          int     // how many
	entries          *xmlBuf // Contents elements
}

// list writes the objects as they are read: a page is never in memory but as XML.
func (r *request) list(l *listing) (page, error) {
	p := page{entries: r.doc()}
	var err error
	p.ListResult, err = r.api.store.WalkObjects(r.http.Context(), r.bucket, store.ListQuery{
		Prefix: l.prefix, Delimiter: l.delimiter, After: l.after, Max: l.max, Markers: l.meta}, func(o *store.Object) {
		p.objects++
		r.listEntry(p.entries, l, o)
	})
	return p, err
}

func listObjectsV1(r *request) error {
	if v := r.arg("list-type"); v != "" && v != "1" {
		return invalidArgument("list-type", v, "Invalid List Type specified in Request")
	}
	l, err := r.listing()
	if err != nil {
		return err
	}
	l.after, l.owner = r.arg("marker"), true
	res, err := r.list(&l)
	if err != nil {
		return err
	}
	r.regionHeader()
	x := r.doc()
	x.root("ListBucketResult")
	x.text("Name", r.bucket)
	x.key("Prefix", l.prefix, l.encode)
	x.key("Marker", l.after, l.encode)
	if res.Truncated && l.delimiter != "" { // without a delimiter the last key says it
		x.key("NextMarker", res.Next, l.encode)
	}
	r.listBody(x, l, res)
	return r.send(http.StatusOK, x)
}

func listObjectsV2(r *request) error {
	l, err := r.listing()
	if err != nil {
		return err
	}
	start := r.arg("start-after")
	position, given, err := r.tokenArg(objectsToken)
	if err != nil {
		return err
	}
	if l.after = start; given {
		l.after = position
	}
	l.owner = r.arg("fetch-owner") == "true"
	res, err := r.list(&l)
	if err != nil {
		return err
	}
	r.regionHeader()
	x := r.doc()
	x.root("ListBucketResult")
	x.text("Name", r.bucket)
	x.key("Prefix", l.prefix, l.encode)
	if r.query.Has("continuation-token") {
		x.text("ContinuationToken", r.arg("continuation-token"))
	}
	x.optionalKey("StartAfter", start, l.encode)
	x.int("KeyCount", int64(res.objects+len(res.Prefixes)))
	if res.Truncated {
		x.text("NextContinuationToken", makeToken(objectsToken, res.Next))
	}
	r.listBody(x, l, res)
	return r.send(http.StatusOK, x)
}

// listBody writes what both versions have in common and closes the document.
func (r *request) listBody(x *xmlBuf, l listing, res page) {
	x.int("MaxKeys", int64(l.max))
	x.optionalKey("Delimiter", l.delimiter, l.encode)
	if l.encode {
		x.text("EncodingType", "url")
	}
	x.bool("IsTruncated", res.Truncated)
	x.b = append(x.b, res.entries.b...)
	r.recycle(res.entries)
	if res.Markers != nil {
		r.markedPrefixes(x, l, res)
	} else {
		x.prefixes(res.Prefixes, l.encode)
	}
	x.close("ListBucketResult")
}

// markedPrefixes writes common prefixes with the objects they are the keys of: an empty element where there is none.
func (r *request) markedPrefixes(x *xmlBuf, l listing, res page) {
	for i, p := range res.Prefixes {
		x.open("CommonPrefixes")
		x.key("Prefix", p, l.encode)
		x.open("Marker")
		if o := res.Markers[i]; o != nil {
			r.objectFields(x, &l, o)
		}
		x.close("Marker")
		x.close("CommonPrefixes")
	}
}

func (x *xmlBuf) prefixes(list []string, encode bool) {
	for _, p := range list {
		x.open("CommonPrefixes")
		x.key("Prefix", p, encode)
		x.close("CommonPrefixes")
	}
}

func (r *request) listEntry(x *xmlBuf, l *listing, o *store.Object) {
	x.open("Contents")
	x.key("Key", o.Key, l.encode)
	r.objectFields(x, l, o)
	x.close("Contents")
}

func (r *request) objectFields(x *xmlBuf, l *listing, o *store.Object) {
	x.time("LastModified", o.LastModified)
	x.etag(o.ETag)
	if !o.Checksum.IsZero() {
		x.text("ChecksumAlgorithm", string(o.Checksum.Algorithm))
		x.text("ChecksumType", o.ChecksumType)
	}
	x.int("Size", o.Size)
	if l.owner {
		x.owner("Owner", r.ownerOf(o.Owner))
	}
	x.text("StorageClass", storageClass(o.Attrs.StorageClass))
	if l.meta {
		x.userMetadata(&o.Attrs)
	}
}

// userMetadata writes an object's headers as MinIO's listings with metadata do, each as an element named like the
// header and with the header's value. Where XML cannot carry a name or a value the whole of UserMetadata is left out,
// and the client knows that it has to ask: half of an object's metadata would be taken for all of it.
func (x *xmlBuf) userMetadata(a *store.Attrs) {
	start := len(x.b)
	x.open("UserMetadata")
	ok := true
	field := func(name, value string) {
		if ok = ok && representable(value); ok {
			x.text(name, value)
		}
	}
	system := []struct{ name, value string }{{"content-type", a.ContentType}, {"cache-control", a.CacheControl},
		{"content-disposition", a.ContentDisposition}, {"content-encoding", a.ContentEncoding},
		{"content-language", a.ContentLanguage}, {"expires", a.Expires}}
	for _, f := range system {
		if f.value != "" {
			field(f.name, f.value)
		}
	}
	for name, value := range a.Meta {
		ok = ok && xmlName(name)
		field(metaHeader(name), headerValue(value))
	}
	x.close("UserMetadata")
	if !ok {
		x.b = x.b[:start]
	}
}

// xmlName reports whether a metadata name, behind "X-Amz-Meta-", can be part of an element's name.
func xmlName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
