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
	if len(keys) == 1 {
		return c.deleteOne(ctx, keys[0])
	}
	var errs []error
	keys, odd := splitXML(keys)
	for _, key := range odd {
		if err := c.deleteOne(ctx, key); err != nil {
			errs = append(errs, err)
		}
	}
	for len(keys) > 0 {
		n := min(len(keys), s3client.MaxDeleteKeys)
		if err := c.deleteBatch(ctx, keys[:n]); err != nil {
			errs = append(errs, err)
		}
		keys = keys[n:]
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

func (c *Client) deleteOne(ctx context.Context, key string) error {
	r, err := c.newObjectRequest(s3client.OpDelete, http.MethodDelete, key)
	if err != nil {
		return err
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

func (c *Client) deleteBatch(ctx context.Context, keys []string) error {
	r := c.newRequest(s3client.OpDeleteMany, http.MethodPost, "")
	r.query, r.needMD5 = "delete", true
	set(r.header, "Content-Type", "application/xml")
	if err := c.setBody(r, bytes.NewReader(deleteBody(keys))); err != nil {
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
func splitXML(keys []string) (plain, odd []string) {
	i := slices.IndexFunc(keys, func(key string) bool { return !isXMLText(key) })
	if i < 0 {
		return keys, nil
	}
	plain = append(plain, keys[:i]...)
	for _, key := range keys[i:] {
		if isXMLText(key) {
			plain = append(plain, key)
		} else {
			odd = append(odd, key)
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

func deleteBody(keys []string) []byte {
	var b bytes.Buffer
	b.WriteString(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>`)
	for _, key := range keys {
		b.WriteString("<Object><Key>")
		_ = xml.EscapeText(&b, []byte(key)) // a bytes.Buffer takes everything
		b.WriteString("</Key></Object>")
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
