package s3api

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"slices"
	"strings"

	"pail/server/internal/s3err"
	"pail/server/internal/sigauth"
	"pail/server/internal/sse"
	"pail/server/internal/store"
)

// The headers of server-side encryption.
const (
	headerSSE       = "X-Amz-Server-Side-Encryption"
	headerKMSKey    = headerSSE + "-Aws-Kms-Key-Id"
	headerContext   = headerSSE + "-Context"
	headerBucketKey = headerSSE + "-Bucket-Key-Enabled"

	customerPrefix = headerSSE + "-Customer-"
	sourcePrefix   = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"

	algorithmAES  = "AES256"
	algorithmKMS  = "aws:kms"
	algorithmDSSE = "aws:kms:dsse"
)

// encryptingOps are the operations that decide how an object is encrypted, keyedOps those that take a customer's key too,
// and copyingOps those that take one for their source.
var (
	encryptingOps = []string{"PutObject", "PostObject", "PatchObject", "CopyObject", "CreateMultipartUpload"}
	keyedOps      = []string{"GetObject", "HeadObject", "GetObjectAttributes", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "ListParts"}
	copyingOps    = []string{"CopyObject", "UploadPartCopy"}
)

// checkEncryptionHeaders refuses headers of encryption where they mean nothing.
func (r *request) checkEncryptionHeaders() error {
	encrypts := slices.Contains(encryptingOps, r.opName)
	for _, name := range []string{headerSSE, headerKMSKey, headerContext, headerBucketKey} {
		if !encrypts && r.http.Header[name] != nil {
			return unsupportedHeader(name, r.header(name))
		}
	}
	for _, tail := range []string{"Algorithm", "Key", "Key-Md5"} {
		if name := customerPrefix + tail; !encrypts && r.http.Header[name] != nil && !slices.Contains(keyedOps, r.opName) {
			return unsupportedHeader(name, "")
		}
		if name := sourcePrefix + tail; r.http.Header[name] != nil && !slices.Contains(copyingOps, r.opName) {
			return unsupportedHeader(name, "")
		}
	}
	return nil
}

func unsupportedHeader(name, value string) error {
	name = strings.ToLower(name)
	return invalidArgument(name, value, name+" header is not supported for this operation.")
}

// customerKey reads the three headers of a customer's key, nil when there are none.
func (r *request) customerKey(prefix string) (*sse.CustomerKey, error) {
	h := r.http.Header
	algorithm, key, sum := h[prefix+"Algorithm"], h[prefix+"Key"], h[prefix+"Key-Md5"]
	if algorithm == nil && key == nil && sum == nil {
		return nil, nil
	}
	bad := func(name, message string) (*sse.CustomerKey, error) {
		return nil, invalidArgument(strings.ToLower(prefix+name), "", message) // never with the value
	}
	switch {
	case !r.secure():
		return nil, s3err.Newf(s3err.InvalidRequest, "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.")
	case algorithm == nil:
		return bad("Algorithm", "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.")
	case algorithm[0] != algorithmAES:
		return nil, s3err.Newf(s3err.InvalidEncryptionAlgorithmError, "The Encryption request you specified is not valid. Supported value: AES256.")
	case key == nil:
		return bad("Key", "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.")
	case sum == nil:
		return bad("Key-Md5", "Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the secret key.")
	}
	raw, err := base64.StdEncoding.DecodeString(key[0])
	k, ok := sse.NewCustomerKey(raw)
	if err != nil || !ok {
		return bad("Key", "The secret key was invalid for the specified algorithm.")
	}
	if k.MD5() != sum[0] {
		return bad("Key-Md5", "The calculated MD5 hash of the key did not match the hash that was provided.")
	}
	return k, nil
}

// secure reports whether nobody on the network can read the request's headers.
func (r *request) secure() bool {
	if r.http.TLS != nil || r.api.insecureCustomerKeys {
		return true
	}
	host, _, err := net.SplitHostPort(r.http.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// encryption is how the bytes of a new object are encrypted.
type encryption struct {
	info     sse.Info
	customer *sse.CustomerKey
	given    bool // by the request, not by the bucket's default
}

// encryption reads what the request says, and else takes the bucket's default.
func (r *request) encryption() (e encryption, err error) {
	if e.customer, err = r.customerKey(customerPrefix); err != nil {
		return e, err
	}
	method := r.header(headerSSE)
	e.given = method != "" || e.customer != nil
	switch {
	case e.customer != nil && method != "":
		return e, invalidArgument("x-amz-server-side-encryption", method, "Server Side Encryption with Customer provided key is incompatible with the encryption method specified")
	case e.customer != nil && r.access != nil && r.access.encrypt.blockCustomer:
		return e, s3err.Newf(s3err.AccessDenied, "The bucket does not allow server-side encryption with customer-provided keys.")
	case method != algorithmKMS && (r.http.Header[headerKMSKey] != nil || r.http.Header[headerContext] != nil):
		return e, invalidArgument("x-amz-server-side-encryption-aws-kms-key-id", r.header(headerKMSKey),
			"Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
	case e.customer != nil:
		e.info = sse.ForCustomer(e.customer)
		return e, nil
	}
	switch method {
	case "":
		e.info = r.defaultEncryption()
	case algorithmAES:
		e.info.Scheme = sse.S3
	case algorithmKMS:
		e.info, err = r.kmsHeaders()
	case algorithmDSSE:
		err = s3err.Newf(s3err.NotImplemented, "Dual-layer encryption (aws:kms:dsse) is not implemented.")
	default:
		err = invalidArgument("x-amz-server-side-encryption", method, "The encryption method specified is not supported")
	}
	if err == nil {
		err = r.checkKMS(&e.info)
	}
	return e, err
}

// kmsHeaders reads what goes with aws:kms.
func (r *request) kmsHeaders() (info sse.Info, err error) {
	info = sse.Info{Scheme: sse.KMS, Context: r.header(headerContext)}
	if info.Key, err = r.api.kmsKey(r.header(headerKMSKey)); err != nil {
		return info, err
	}
	if info.Context != "" {
		raw, err := base64.StdEncoding.DecodeString(info.Context)
		var pairs map[string]string
		if err != nil || json.Unmarshal(raw, &pairs) != nil || pairs == nil {
			return info, invalidArgument("x-amz-server-side-encryption-context", "",
				"The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map")
		}
	}
	switch v := strings.ToLower(r.header(headerBucketKey)); v {
	case "":
		d := r.defaultEncryption()
		info.BucketKey = d.Scheme == sse.KMS && d.BucketKey
	case "true", "false":
		info.BucketKey = v == "true"
	default:
		return info, invalidArgument("x-amz-server-side-encryption-bucket-key-enabled", v, "The bucket key enabled header must be true or false")
	}
	return info, nil
}

// kmsKey reads the name of a key out of a key id, an alias, or the ARN of either.
func (a *API) kmsKey(id string) (string, error) {
	name := id
	if rest, ok := strings.CutPrefix(id, "arn:aws:kms:"); ok {
		parts := strings.SplitN(rest, ":", 3) // region, account, key/NAME or alias/NAME
		if len(parts) != 3 || parts[0] != a.region {
			return "", invalidArgument("x-amz-server-side-encryption-aws-kms-key-id", id, "Invalid arn "+id)
		}
		name = strings.TrimPrefix(parts[2], "key/")
	}
	name = strings.TrimPrefix(name, "alias/")
	if name == "" {
		name = sse.DefaultKey
	}
	return name, nil
}

// kmsARN names a key of KMS as its account does.
func (r *request) kmsARN(name string) string {
	account := ""
	if r.access != nil {
		account = r.api.accountOf(r.access.bucket.Owner).ID
	}
	kind := "key/"
	if name == sse.DefaultKey {
		kind = "alias/"
	}
	return "arn:aws:kms:" + r.api.region + ":" + account + ":" + kind + name
}

// checkKMS refuses a key that is not there, and requests that AWS does not let use one.
func (r *request) checkKMS(info *sse.Info) error {
	if info.Scheme != sse.KMS {
		return nil
	}
	if !r.api.keys.Has(info.Key) {
		return s3err.Newf(s3err.KMSNotFoundException, "Key '%s' does not exist", r.kmsARN(info.Key))
	}
	return r.requireV4()
}

func (r *request) requireV4() error {
	if s := r.identity.Signature; r.identity.Anonymous || s == sigauth.V2 || s == sigauth.V2Presigned {
		return invalidArgument("Authorization", "null", "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.")
	}
	return nil
}

// readKey finds out whether the request may read the object's bytes, for answers that do not read them.
func (r *request) readKey(o *store.Object, customer *sse.CustomerKey) error {
	if _, err := r.api.keys.Open(o.Encryption, customer); err != nil {
		return err
	}
	if info, _ := sse.Decode(o.Encryption); info.Scheme == sse.KMS {
		return r.requireV4()
	}
	return nil
}

// setEncryption writes the headers of an answer that tell how the object is encrypted.
func (r *request) setEncryption(encoded []byte) {
	info, err := sse.Decode(encoded)
	if err != nil || info.Scheme == sse.None {
		return // what cannot be read is not served either
	}
	h := r.w.Header()
	switch info.Scheme {
	case sse.S3:
		h.Set(headerSSE, algorithmAES)
	case sse.KMS:
		h.Set(headerSSE, algorithmKMS)
		h.Set(headerKMSKey, r.kmsARN(info.Key))
		if info.BucketKey {
			h.Set(headerBucketKey, "true")
		}
	case sse.Customer:
		h.Set(customerPrefix+"Algorithm", algorithmAES)
		set(h, customerPrefix+"Key-Md5", r.header(customerPrefix+"Key-Md5"))
	}
}

// setNewEncryption does so for a new object, of which the context is told too.
func (r *request) setNewEncryption(encoded []byte) {
	r.setEncryption(encoded)
	if info, err := sse.Decode(encoded); err == nil {
		set(r.w.Header(), headerContext, info.Context)
	}
}
