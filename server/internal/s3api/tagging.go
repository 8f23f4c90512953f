package s3api

import (
	"encoding/xml"
	"net/http"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
	"pail/server/internal/tags"
)

// taggingDoc is the body of PutObjectTagging and PutBucketTagging.
type taggingDoc struct {
	XMLName xml.Name   `xml:"Tagging"`
	TagSet  *tagSetDoc `xml:"TagSet"`
}

type tagSetDoc struct {
	Tag []struct {
		Key   *string
		Value *string
	}
}

// set gives the tags, or MalformedXML when an element is missing.
func (d *taggingDoc) set() (tags.Set, error) {
	if d.TagSet == nil {
		return nil, s3err.New(s3err.MalformedXML)
	}
	return d.TagSet.set()
}

func (d *tagSetDoc) set() (tags.Set, error) {
	set := make(tags.Set, 0, len(d.Tag))
	for _, t := range d.Tag {
		if t.Key == nil || t.Value == nil {
			return nil, s3err.New(s3err.MalformedXML)
		}
		set = append(set, tags.Tag{Key: *t.Key, Value: *t.Value})
	}
	return set, nil
}

// readTags reads a set of at most limit tags from the request's body.
func (r *request) readTags(limit int) (tags.Set, error) {
	var doc taggingDoc
	if err := r.readXML(&doc); err != nil {
		return nil, err
	}
	set, err := doc.set()
	if err != nil {
		return nil, err
	}
	return set, set.Check(limit)
}

// tagging writes the document that both Get operations answer.
func (x *xmlBuf) tagging(set tags.Set) {
	x.open("TagSet")
	for _, t := range set {
		x.open("Tag")
		x.text("Key", t.Key)
		x.text("Value", t.Value)
		x.close("Tag")
	}
	x.close("TagSet")
	x.close("Tagging")
}

func putObjectTagging(r *request) error {
	if err := r.requireObject(); err != nil {
		return err
	}
	set, err := r.readTags(tags.MaxObjectTags)
	if err != nil {
		return err
	}
	if err := r.authorizeBody(bodyValues{tags: set}); err != nil {
		return err
	}
	return r.setTags(set, http.StatusOK)
}

func deleteObjectTagging(r *request) error { return r.setTags(nil, http.StatusNoContent) }

func (r *request) setTags(list tags.Set, status int) error {
	o, err := r.api.store.SetTags(r.http.Context(), r.bucket, r.key, r.arg("versionId"), list)
	if err != nil {
		return err
	}
	set(r.w.Header(), "X-Amz-Version-Id", o.VersionID)
	return r.empty(status)
}

func getObjectTagging(r *request) error {
	o, err := r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, readInput(r))
	if err != nil {
		return err
	}
	set(r.w.Header(), "X-Amz-Version-Id", o.VersionID)
	x := r.doc()
	x.root("Tagging")
	x.tagging(o.Attrs.Tags)
	return r.send(http.StatusOK, x)
}

func putBucketTagging(r *request) error {
	if err := r.requireBucket(); err != nil {
		return err
	}
	set, err := r.readTags(tags.MaxBucketTags)
	if err != nil {
		return err
	}
	if err := r.api.store.SetBucketConfig(r.http.Context(), r.bucket, store.ConfigTagging, taggingDocument(set)); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

// taggingDocument is a bucket's tags as they are kept.
func taggingDocument(set tags.Set) []byte {
	var x xmlBuf
	x.rootElement("Tagging")
	x.tagging(set)
	return x.b
}

// headerTags reads x-amz-tagging.
func (r *request) headerTags() (tags.Set, error) { return tags.ParseHeader(r.header("X-Amz-Tagging")) }

// copiedTags reads x-amz-tagging-directive: nil keeps the source's tags.
func (r *request) copiedTags(given tags.Set) (*[]store.Tag, error) {
	switch d := r.header("X-Amz-Tagging-Directive"); d {
	case "", "COPY":
		return nil, nil
	case "REPLACE":
		list := []store.Tag(given)
		return &list, nil
	default:
		return nil, invalidArgument("x-amz-tagging-directive", d, "Unknown tagging directive.")
	}
}
