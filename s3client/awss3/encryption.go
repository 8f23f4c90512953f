package awss3

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"pail/s3client"
)

// Encryption is server-side encryption. At most one kind may be set; the zero value leaves it to the bucket.
type Encryption struct {
	SSES3 bool   // keys of the service ("AES256")
	KMS   bool   // a key of KMS
	KMSID string // of that key; "" means the account's default

	// CustomerKeys (SSE-C) are 32 bytes each. The first encrypts; reading tries each.
	CustomerKeys [][]byte
}

func (e Encryption) check() error {
	kinds := 0
	for _, set := range []bool{e.SSES3, e.KMS, len(e.CustomerKeys) > 0} {
		if set {
			kinds++
		}
	}
	if kinds > 1 {
		return errors.New("more than one kind of server-side encryption")
	}
	for i, key := range e.CustomerKeys {
		if len(key) != 32 {
			return fmt.Errorf("SSE-C key %d has %d bytes, want 32", i+1, len(key))
		}
	}
	return nil
}

// customerKey is an SSE-C key as the headers carry it.
type customerKey struct{ key, md5 string }

func customerKeys(e Encryption) []*customerKey {
	var keys []*customerKey
	for _, raw := range e.CustomerKeys {
		sum := md5.Sum(raw)
		keys = append(keys, &customerKey{base64.StdEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(sum[:])})
	}
	return keys
}

// set adds the three headers; k may be nil.
func (k *customerKey) set(h http.Header) { k.setNamed(h, "X-Amz-Server-Side-Encryption-Customer-") }

// setSource adds them for the source of a copy.
func (k *customerKey) setSource(h http.Header) {
	k.setNamed(h, "X-Amz-Copy-Source-Server-Side-Encryption-Customer-")
}

func (k *customerKey) setNamed(h http.Header, prefix string) {
	if k == nil {
		return
	}
	set(h, prefix+"Algorithm", "AES256")
	set(h, prefix+"Key", k.key)
	set(h, prefix+"Key-Md5", k.md5)
}

// setEncryption adds the headers of a request that creates an object.
func (c *Client) setEncryption(h http.Header) {
	switch e := &c.opt.Encryption; {
	case e.SSES3:
		set(h, "X-Amz-Server-Side-Encryption", "AES256")
	case e.KMS:
		set(h, "X-Amz-Server-Side-Encryption", "aws:kms")
		if e.KMSID != "" {
			set(h, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", e.KMSID)
		}
	}
	c.writeKey().set(h)
}

// writeKey is the SSE-C key of new objects, nil without one.
func (c *Client) writeKey() *customerKey {
	if len(c.keys) == 0 {
		return nil
	}
	return c.keys[0]
}

// withReadKey calls try with each SSE-C key until one fits, or with nil. A wrong or needless key is answered with 400
// or 403.
func (c *Client) withReadKey(try func(*customerKey) error) error {
	if len(c.keys) == 0 {
		return try(nil)
	}
	var err error
	for _, key := range append(c.keys[:len(c.keys):len(c.keys)], nil) {
		err = try(key)
		if !errors.Is(err, s3client.ErrInvalid) && !errors.Is(err, s3client.ErrAccess) {
			return err
		}
	}
	return err
}
