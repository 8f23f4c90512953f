package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// maxDeleteBody bounds the body of DeleteObjects: 1000 keys of 1024 bytes, escaped, with their elements.
const (
	maxDeleteBody = 2 << 20
	maxDeleteKeys = 1000
)

// deleteRequest is the body of DeleteObjects.
type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Object  []struct {
		Key              *string
		VersionID        string `xml:"VersionId"`
		ETag             string
		LastModifiedTime string
		Size             *int64
	}
}

func deleteObjects(r *request) error {
	if err := r.requireDigest(); err != nil {
		return err
	}
	body, err := r.readBody(maxDeleteBody)
	if err != nil {
		return err
	}
	var d deleteRequest
	if err := parseXML(body, &d); err != nil {
		return err
	}
	inputs, results, err := d.inputs()
	if err != nil {
		return err
	}
	inputs, denied, err := r.mayDelete(inputs)
	if err != nil {
		return err
	}
	results = append(results, denied...)
	for i := range inputs {
		inputs[i].Owner, inputs[i].Bypass = r.owner().id, r.bypass()
	}
	done, err := r.api.store.DeleteObjects(r.http.Context(), r.bucket, inputs)
	if err != nil {
		return err
	}
	return r.sendDeleted(append(results, done...), d.Quiet)
}

// mayDelete parts the list into what the request's identity may delete and what it may not.
func (r *request) mayDelete(list []store.DeleteInput) (may []store.DeleteInput, denied []store.DeleteResult, err error) {
	if r.access.ordinary(r) {
		return list, nil, nil
	}
	for _, in := range list {
		err := r.authorizeDelete(in.Key, in.VersionID)
		switch {
		case s3err.Is(err, s3err.AccessDenied):
			denied = append(denied, store.DeleteResult{Key: in.Key, VersionID: in.VersionID, Err: err})
		case err != nil:
			return nil, nil, err
		default:
			may = append(may, in)
		}
	}
	return may, denied, nil
}

// inputs checks the list. Keys that no object can have are answered at once, as results.
func (d *deleteRequest) inputs() (inputs []store.DeleteInput, refused []store.DeleteResult, err error) {
	if len(d.Object) == 0 || len(d.Object) > maxDeleteKeys {
		return nil, nil, s3err.New(s3err.MalformedXML)
	}
	for _, o := range d.Object {
		if o.Key == nil || *o.Key == "" {
			return nil, nil, s3err.New(s3err.MalformedXML)
		}
		in := store.DeleteInput{Key: *o.Key, VersionID: o.VersionID}
		if o.ETag != "" {
			in.Cond.IfMatch = []string{unquoteETag(o.ETag)}
		}
		in.Cond.Size = o.Size
		if o.LastModifiedTime != "" {
			t, ok := parseTime(o.LastModifiedTime)
			if !ok {
				return nil, nil, s3err.New(s3err.MalformedXML)
			}
			in.Cond.LastModified = t
		}
		if err := checkKey(in.Key); err != nil {
			refused = append(refused, store.DeleteResult{Key: in.Key, VersionID: in.VersionID, Err: err})
			continue
		}
		inputs = append(inputs, in)
	}
	return inputs, refused, nil
}

func (r *request) sendDeleted(results []store.DeleteResult, quiet bool) error {
	x := r.doc()
	x.root("DeleteResult")
	for _, res := range results {
		if res.Err != nil {
			r.deleteFailed(x, res)
			continue
		}
		if quiet {
			continue
		}
		x.open("Deleted")
		x.text("Key", res.Key)
		x.optional("VersionId", res.VersionID)
		if res.DeleteMarker {
			x.bool("DeleteMarker", true)
			x.optional("DeleteMarkerVersionId", res.MarkerVersionID)
		}
		x.close("Deleted")
	}
	x.close("DeleteResult")
	return r.send(http.StatusOK, x)
}

func (r *request) deleteFailed(x *xmlBuf, res store.DeleteResult) {
	e, unknown := From(res.Err)
	if unknown || errors.Is(res.Err, store.ErrDamaged) {
		r.api.log.Error("request failed", "op", r.opName, "bucket", r.bucket, "key", res.Key, "request", r.id, "error", res.Err)
	}
	x.open("Error")
	x.text("Key", res.Key)
	x.optional("VersionId", res.VersionID)
	x.b = e.AppendInner(x.b)
	x.close("Error")
}
