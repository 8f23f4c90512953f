package s3api

import (
	"encoding/xml"
	"errors"
	"net/http"

	"pail/server/internal/bucketdoc"
	"pail/server/internal/s3err"
	"pail/server/internal/sse"
	"pail/server/internal/store"
)

// configEncryption is the document of a bucket's default encryption.
const configEncryption store.ConfigKind = "encryption"

// encryptionRule is the default encryption of a bucket. The zero value is none.
type encryptionRule struct {
	info          sse.Info // but of a key of KMS, the name as the client gave it
	blockCustomer bool
}

// parseEncryption reads a document that putBucketEncryption has kept.
func parseEncryption(document []byte) (rule encryptionRule, err error) {
	n := new(bucketdoc.Node)
	if err := xml.Unmarshal(document, n); err != nil {
		return rule, err
	}
	switch n.Value("Rule", "ApplyServerSideEncryptionByDefault", "SSEAlgorithm") {
	case algorithmAES:
		rule.info.Scheme = sse.S3
	case algorithmKMS:
		rule.info = sse.Info{Scheme: sse.KMS, Key: n.Value("Rule", "ApplyServerSideEncryptionByDefault", "KMSMasterKeyID"),
			BucketKey: n.Value("Rule", "BucketKeyEnabled") == "true"}
	}
	rule.blockCustomer = n.Value("Rule", "BlockedEncryptionTypes", "EncryptionType") == "SSE-C"
	return rule, nil
}

// defaultEncryption is that of objects whose request says nothing: the bucket's, or else the server's.
func (r *request) defaultEncryption() sse.Info { return r.api.defaultEncryption(r.access) }

func (a *API) defaultEncryption(of *access) sse.Info {
	if of != nil && of.encrypt.info.Scheme != sse.None {
		info := of.encrypt.info
		if info.Scheme == sse.KMS {
			info.Key, _ = a.kmsKey(info.Key) // putBucketEncryption has checked it
		}
		return info
	}
	if a.encrypt {
		return sse.Info{Scheme: sse.S3}
	}
	return sse.Info{}
}

// putBucketEncryption keeps a document with what AWS adds to it.
func putBucketEncryption(r *request) error {
	n, err := r.readDoc(bucketdoc.Encryption())
	if err != nil {
		return err
	}
	algorithm := n.Value("Rule", "ApplyServerSideEncryptionByDefault", "SSEAlgorithm")
	key := n.Value("Rule", "ApplyServerSideEncryptionByDefault", "KMSMasterKeyID")
	switch {
	case algorithm == algorithmDSSE:
		return s3err.Newf(s3err.NotImplemented, "Dual-layer encryption (aws:kms:dsse) is not implemented.")
	case algorithm != algorithmKMS && key != "":
		return invalidArgument("KMSMasterKeyID", key, "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
	}
	if _, err := r.api.kmsKey(key); err != nil {
		return err
	}
	rule := n.Child("Rule")
	if rule.Child("BucketKeyEnabled") == nil {
		rule.Nodes = append(rule.Nodes, bucketdoc.Node{XMLName: xml.Name{Local: "BucketKeyEnabled"}, Text: "false"})
	}
	if err := r.keepDoc(configEncryption, n); err != nil {
		return err
	}
	return r.empty(http.StatusOK)
}

func getBucketEncryption(r *request) error {
	b, err := r.api.store.BucketConfig(r.http.Context(), r.bucket, configEncryption)
	switch {
	case err == nil:
		return r.sendStored(b)
	case !errors.Is(err, store.ErrNoSuchConfig):
		return err
	case !r.api.encrypt:
		return s3err.New(s3err.ServerSideEncryptionConfigurationNotFoundError).With("BucketName", r.bucket)
	}
	return r.sendConfig("ServerSideEncryptionConfiguration", func(x *xmlBuf) {
		x.open("Rule")
		x.open("ApplyServerSideEncryptionByDefault")
		x.text("SSEAlgorithm", algorithmAES)
		x.close("ApplyServerSideEncryptionByDefault")
		x.bool("BucketKeyEnabled", false)
		x.close("Rule")
	})
}
