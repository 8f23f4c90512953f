package s3api

import (
	"net/http"
	"strconv"

	"pail/server/internal/store"
)

func listParts(r *request) error {
	limit, err := r.countArg("max-parts", maxKeys, maxKeys)
	if err != nil {
		return err
	}
	encode, err := r.urlEncoding()
	if err != nil {
		return err
	}
	marker := 0
	if v := r.arg("part-number-marker"); v != "" {
		if marker, err = strconv.Atoi(v); err != nil || marker < 0 {
			return invalidArgument("part-number-marker", v, "Argument part-number-marker must be an integer between 0 and 2147483647")
		}
	}
	res, err := r.api.store.ListParts(r.http.Context(), store.PartsQuery{
		Bucket: r.bucket, Key: r.key, UploadID: r.arg("uploadId"), After: marker, Max: limit})
	if err != nil {
		return err
	}
	r.abortion(res.Upload.Initiated)
	x := r.doc()
	x.root("ListPartsResult")
	x.text("Bucket", r.bucket)
	x.key("Key", r.key, encode)
	x.text("UploadId", res.Upload.ID)
	x.owner("Initiator", r.ownerOf(res.Upload.Owner))
	x.owner("Owner", r.ownerOf(res.Upload.Owner))
	x.text("StorageClass", storageClass(res.Upload.Attrs.StorageClass))
	x.int("PartNumberMarker", int64(marker))
	if n := len(res.Parts); n > 0 { // on the last page too
		x.int("NextPartNumberMarker", int64(res.Parts[n-1].N))
	}
	x.int("MaxParts", int64(limit))
	x.bool("IsTruncated", res.Truncated)
	x.optional("ChecksumAlgorithm", string(res.Upload.Algorithm))
	x.optional("ChecksumType", res.Upload.ChecksumType)
	for i := range res.Parts {
		x.part(&res.Parts[i])
	}
	x.close("ListPartsResult")
	return r.send(http.StatusOK, x)
}

func (x *xmlBuf) part(p *store.PartInfo) {
	x.open("Part")
	x.int("PartNumber", int64(p.N))
	x.time("LastModified", p.LastModified)
	x.etag(p.ETag)
	x.int("Size", p.Size)
	x.checksum(p.Checksum, "")
	x.close("Part")
}

func listUploads(r *request) error {
	q := store.UploadsQuery{Prefix: r.arg("prefix"), Delimiter: r.arg("delimiter"), KeyMarker: r.arg("key-marker")}
	if q.KeyMarker != "" { // S3 ignores upload-id-marker without key-marker
		q.UploadIDMarker = r.arg("upload-id-marker")
	}
	var err error
	if q.Max, err = r.countArg("max-uploads", maxKeys, maxKeys); err != nil {
		return err
	}
	encode, err := r.urlEncoding()
	if err != nil {
		return err
	}
	res, err := r.api.store.ListUploads(r.http.Context(), r.bucket, q)
	if err != nil {
		return err
	}
	return r.sendUploads(q, res, encode)
}

func (r *request) sendUploads(q store.UploadsQuery, res store.UploadsResult, encode bool) error {
	x := r.doc()
	x.root("ListMultipartUploadsResult")
	x.text("Bucket", r.bucket)
	x.key("KeyMarker", q.KeyMarker, encode)
	x.text("UploadIdMarker", q.UploadIDMarker)
	if res.Truncated {
		x.key("NextKeyMarker", res.NextKeyMarker, encode)
		x.text("NextUploadIdMarker", res.NextUploadIDMarker)
	}
	x.key("Prefix", q.Prefix, encode)
	x.optionalKey("Delimiter", q.Delimiter, encode)
	x.int("MaxUploads", int64(q.Max))
	if encode {
		x.text("EncodingType", "url")
	}
	x.bool("IsTruncated", res.Truncated)
	for i := range res.Uploads {
		r.uploadEntry(x, &res.Uploads[i], encode)
	}
	x.prefixes(res.Prefixes, encode)
	x.close("ListMultipartUploadsResult")
	return r.send(http.StatusOK, x)
}

func (r *request) uploadEntry(x *xmlBuf, u *store.Upload, encode bool) {
	x.open("Upload")
	x.key("Key", u.Key, encode)
	x.text("UploadId", u.ID)
	x.owner("Initiator", r.ownerOf(u.Owner))
	x.owner("Owner", r.ownerOf(u.Owner))
	x.text("StorageClass", storageClass(u.Attrs.StorageClass))
	x.time("Initiated", u.Initiated)
	x.optional("ChecksumAlgorithm", string(u.Algorithm))
	x.optional("ChecksumType", u.ChecksumType)
	x.close("Upload")
}
