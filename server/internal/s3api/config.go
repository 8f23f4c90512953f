package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

// A configuration document is read strictly, checked, and written anew: what comes back has S3's name space and only
// elements that were understood.

// putConfig serves the operation that sets the bucket's document of that kind. T is the document's struct, whose Check
// says what is wrong with it.
func putConfig[T any, P interface {
	*T
	Check() error
}](kind store.ConfigKind, root string, status int) func(*request) error {
	return func(r *request) error {
		doc := P(new(T))
		if err := r.readConfig(doc); err != nil {
			return err
		}
		if err := r.setConfig(kind, root, doc); err != nil {
			return err
		}
		return r.empty(status)
	}
}

// checked is a document that can tell what is wrong with it.
type checked interface{ Check() error }

// readConfig reads the request's document.
func (r *request) readConfig(doc checked) error {
	if err := r.requireBucket(); err != nil {
		return err
	}
	if err := r.readXML(doc); err != nil {
		return err
	}
	return doc.Check()
}

// readXML reads the request's body, which must be there.
func (r *request) readXML(doc any) error {
	body, err := r.readBody(maxXMLBody)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return s3err.New(s3err.MissingRequestBodyError)
	}
	return parseXML(body, doc)
}

// setConfig keeps a document under the name of its root element.
func (r *request) setConfig(kind store.ConfigKind, root string, doc any) error {
	b, err := marshalConfig(root, doc)
	if err != nil {
		return err
	}
	return r.api.store.SetBucketConfig(r.http.Context(), r.bucket, kind, b)
}

// marshalConfig writes a document as it is kept: its element with S3's name space, and no XML declaration.
func marshalConfig(root string, doc any) ([]byte, error) {
	var x xmlBuf
	x.rootElement(root)
	inner, err := xml.Marshal(doc)
	if err != nil {
		return nil, err
	}
	_, content, err := outermost(inner)
	if err != nil {
		return nil, err
	}
	x.b = append(x.b, content...)
	x.close(root)
	return x.b, nil
}

// outermost cuts a document that xml.Marshal wrote into start tag and content.
func outermost(b []byte) (start, content []byte, err error) {
	open, close := -1, -1
	for i, c := range b {
		if c == '>' {
			open = i + 1
			break
		}
	}
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == '<' {
			close = i
			break
		}
	}
	if open < 0 || close < open {
		return nil, nil, errors.New("s3api: no XML document")
	}
	return b[:open], b[open:close], nil
}

// getConfig serves the operation that reads the bucket's document of that kind. There being none is answered with code,
// or with an empty document when code is "".
func getConfig(kind store.ConfigKind, root string, code s3err.Code) func(*request) error {
	return func(r *request) error {
		b, err := r.api.store.BucketConfig(r.http.Context(), r.bucket, kind)
		switch {
		case err == nil:
			return r.sendStored(b)
		case !errors.Is(err, store.ErrNoSuchConfig):
			return err
		case code != "":
			return s3err.New(code).With("BucketName", r.bucket)
		}
		x := r.doc()
		x.root(root)
		x.close(root)
		return r.send(http.StatusOK, x)
	}
}

// sendStored answers a kept document.
func (r *request) sendStored(document []byte) error {
	x := r.doc()
	x.b = append(append(x.b, xmlHeader...), document...)
	return r.send(http.StatusOK, x)
}

// deleteConfig serves the operation that removes the bucket's document of that kind.
func deleteConfig(kind store.ConfigKind) func(*request) error {
	return func(r *request) error {
		if err := r.api.store.DeleteBucketConfig(r.http.Context(), r.bucket, kind); err != nil {
			return err
		}
		return r.empty(http.StatusNoContent)
	}
}
