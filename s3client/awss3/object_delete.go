package awss3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"pail/s3client"
)

// Delete removes keys.
func (c *Client) Delete(ctx context.Context, keys ...string) error {
	return c.DeleteVersions(ctx, s3client.AnyVersion(keys...)...)
}

// DeleteVersions removes keys that have certain versions.
func (c *Client) DeleteVersions(ctx context.Context, list ...s3client.Version) error {
	if len(list) == 1 {
		return c.deleteOne(ctx, list[0])
	}
	var errs []error
	list, odd := splitXML(list)
	for _, v := range odd {
		if err := c.deleteOne(ctx, v); err != nil {
			errs = append(errs, err)
		}
	}
	for len(list) > 0 {
		n := min(len(list), s3client.MaxDeleteKeys)
		if err := anyway(list[:n], func(list []s3client.Version) error { return c.deleteBatch(ctx, list) }); err != nil {
			errs = append(errs, err)
		}
		list = list[n:]
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// anyway does what remove does with versions whose ETag counts, and once more without conditions if the service has none for
// removals.
func anyway(list []s3client.Version, remove func([]s3client.Version) error) error {
	sent := make([]s3client.Version, len(list))
	for i, v := range list {
		sent[i] = s3client.Version{Key: v.Key, ETag: v.Expected()}
	}
	err := remove(sent)
	conditional := slices.ContainsFunc(sent, func(v s3client.Version) bool { return v.ETag != "" })
	if !conditional || !withoutConditions(err) {
		return err
	}
	return remove(s3client.AnyVersion(s3client.KeysOf(list)...))
}

// withoutConditions reports whether a removal was refused by a service that has no conditions for them: it says so, or does
// not know the element. One that refuses a condition has them.
func withoutConditions(err error) bool {
	var e *s3client.Error
	malformed := errors.As(err, &e) && e.Code == "MalformedXML"
	return (malformed || errors.Is(err, s3client.ErrUnsupported)) && !errors.Is(err, s3client.ErrPrecondition)
}

func (c *Client) deleteOne(ctx context.Context, v s3client.Version) error {
	return anyway([]s3client.Version{v}, func(list []s3client.Version) error { return c.deleteSingle(ctx, list[0]) })
}

func (c *Client) deleteSingle(ctx context.Context, v s3client.Version) error {
	r, err := c.newObjectRequest(s3client.OpDelete, http.MethodDelete, v.Key)
	if err != nil {
		return err
	}
	if v.ETag != "" {
		set(r.header, "If-Match", v.ETag.Header())
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		if errors.Is(err, s3client.ErrNotFound) && !errors.Is(err, s3client.ErrNoBucket) {
			return nil // S3 answers 204, others may not
		}
		return err
	}
	finish(resp)
	return nil
}

// DeleteDirectory removes an empty directory. It is a POST, which a service that does not know it refuses.
func (c *Client) DeleteDirectory(ctx context.Context, key string) error {
	r, err := c.newObjectRequest(s3client.OpDeleteDir, http.MethodPost, key)
	if err != nil {
		return err
	}
	r.query = "deleteDirectory"
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	finish(resp)
	return nil
}

func (c *Client) deleteBatch(ctx context.Context, list []s3client.Version) error {
	r := c.newRequest(s3client.OpDeleteMany, http.MethodPost, "")
	r.query, r.needMD5 = "delete", true
	set(r.header, "Content-Type", "application/xml")
	if err := c.setBody(r, bytes.NewReader(deleteBody(list))); err != nil {
		return err
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer finish(resp)
	body, err := readAll(resp, maxListBody)
	if err != nil {
		return c.transportError(ctx, r, err, nil)
	}
	if err := c.bodyError(r, resp, body); err != nil {
		return err
	}
	return c.deleteErrors(r, resp, body)
}

// splitXML sets keys apart that XML 1.0 cannot hold, to be removed one by one.
func splitXML(list []s3client.Version) (plain, odd []s3client.Version) {
	i := slices.IndexFunc(list, func(v s3client.Version) bool { return !isXMLText(v.Key) })
	if i < 0 {
		return list, nil
	}
	plain = append(plain, list[:i]...)
	for _, v := range list[i:] {
		if isXMLText(v.Key) {
			plain = append(plain, v)
		} else {
			odd = append(odd, v)
		}
	}
	return plain, odd
}

func isXMLText(s string) bool {
	for i, r := range s {
		if r == 0xFFFD && s[i] != 0xEF || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

func deleteBody(list []s3client.Version) []byte {
	var b bytes.Buffer
	b.WriteString(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>`)
	for _, v := range list {
		b.WriteString("<Object><Key>")
		_ = xml.EscapeText(&b, []byte(v.Key)) // a bytes.Buffer takes everything
		b.WriteString("</Key>")
		if v.ETag != "" {
			b.WriteString("<ETag>")
			_ = xml.EscapeText(&b, []byte(v.ETag.Header()))
			b.WriteString("</ETag>")
		}
		b.WriteString("</Object>")
	}
	b.WriteString("</Delete>")
	return b.Bytes()
}

// deleteErrors joins one error for each key that the answer names as failed.
func (c *Client) deleteErrors(r *request, resp *http.Response, body []byte) error {
	x := newScanner(body)
	if root, ok := x.child(); !ok || string(root) != "DeleteResult" {
		e := c.newError(r, fmt.Errorf("%w: the answer is no DeleteResult", s3client.ErrUnavailable))
		e.Status, e.RequestID, e.Message = resp.StatusCode, requestID(resp.Header), snippet(body)
		return e
	}
	var errs []error
	for {
		name, ok := x.child()
		if !ok {
			break
		}
		if string(name) != "Error" {
			x.skip()
			continue
		}
		if e := c.deleteError(r, resp, x); !errors.Is(e, s3client.ErrNotFound) {
			errs = append(errs, e)
		}
	}
	if x.err != nil {
		errs = append(errs, c.newError(r, fmt.Errorf("%w: %w", s3client.ErrUnavailable, x.err)))
	}
	return errors.Join(errs...)
}

func (c *Client) deleteError(r *request, resp *http.Response, x *scanner) *s3client.Error {
	e := c.newError(r, nil)
	e.Status, e.RequestID = resp.StatusCode, requestID(resp.Header)
	for {
		name, ok := x.child()
		if !ok {
			e.Err = classify(e.Code, http.StatusInternalServerError)
			return e
		}
		switch string(name) {
		case "Key":
			e.Key = x.string()
		case "Code":
			e.Code = x.string()
		case "Message":
			e.Message = x.string()
		default:
			x.skip()
		}
	}
}
