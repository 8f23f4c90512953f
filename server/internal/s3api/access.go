package s3api

import (
	"bytes"
	"context"
	"encoding/json"

	lru "github.com/hashicorp/golang-lru/v2"

	"pail/server/internal/accesslog"
	"pail/server/internal/acl"
	"pail/server/internal/policy"
	"pail/server/internal/store"
)

// The documents that decide about access to a bucket. NB: kinds and forms are in the database, and must not change.
const (
	configPolicy    store.ConfigKind = "policy"            // as the client sent it
	configACL       store.ConfigKind = "acl"               // acl.List.Encode
	configOwnership store.ConfigKind = "ownershipControls" // one of the words below
	configBlock     store.ConfigKind = "publicAccessBlock" // JSON of publicBlock
)

// Object ownership. A bucket without the document is enforced; ownershipNone is what remains when the document was
// deleted, and works as ObjectWriter.
const (
	ownershipEnforced  = "BucketOwnerEnforced"
	ownershipPreferred = "BucketOwnerPreferred"
	ownershipWriter    = "ObjectWriter"
	ownershipNone      = "none"
)

// publicBlock is a bucket's public access block.
type publicBlock struct {
	BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool
}

// access is all that decides about access to a bucket. It is never written to after it was made.
type access struct {
	bucket    store.Bucket
	ownership string
	grants    acl.List // of the bucket, without public ones when they are ignored
	fullACL   acl.List // as it was set
	policy    *policy.Policy
	public    bool         // the policy is
	block     *publicBlock // nil: there is none
	broken    bool         // the policy that is stored cannot be read
	logTo     *accesslog.Target
	charges   bool // other accounts than the owner's must be willing to pay
	encrypt   encryptionRule
}

// enforced reports whether lists of grants mean nothing in the bucket.
func (a *access) enforced() bool { return a.ownership == ownershipEnforced }

func (a *access) restricted() bool {
	return a.public && a.block != nil && a.block.RestrictPublicBuckets
}

func (a *access) ignorePublic() bool { return a.block != nil && a.block.IgnorePublicAcls }

func (a *access) blockPublicACLs() bool { return a.block != nil && a.block.BlockPublicAcls }

// maxCachedAccess bounds the buckets whose access is kept.
const maxCachedAccess = 4096

// accessCache keeps what decides about each bucket, so that a request needs no look-up for it. As with configCache, an
// entry is good as long as no bucket has changed since.
type accessCache struct {
	store   *store.Store
	lru     *lru.Cache[string, cachedAccess]
	logging func(document []byte, b store.Bucket) *accesslog.Target
}

type cachedAccess struct {
	generation uint64
	access     *access
}

func newAccessCache(s *store.Store, logging func([]byte, store.Bucket) *accesslog.Target) *accessCache {
	c, _ := lru.New[string, cachedAccess](maxCachedAccess) // fails for sizes below 1 only
	return &accessCache{store: s, lru: c, logging: logging}
}

// get gives what decides about the bucket, or store.ErrNoSuchBucket.
func (c *accessCache) get(ctx context.Context, bucket string) (*access, error) {
	generation, err := c.store.ConfigGeneration(ctx) // before anything is read: a change after that is not missed
	if err != nil {
		return nil, err
	}
	if hit, ok := c.lru.Get(bucket); ok && hit.generation == generation {
		return hit.access, nil
	}
	a, err := c.load(ctx, bucket)
	if err != nil {
		return nil, err
	}
	c.lru.Add(bucket, cachedAccess{generation, a})
	return a, nil
}

func (c *accessCache) load(ctx context.Context, bucket string) (*access, error) {
	b, documents, err := c.store.DescribeBucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	a := &access{bucket: b, ownership: ownershipEnforced, fullACL: acl.Private(b.Owner)}
	for _, d := range documents {
		switch d.Kind {
		case configPolicy:
			a.policy, err = policy.Parse(d.Document, policy.Options{Bucket: bucket})
			a.broken = err != nil
			a.public = a.policy.IsPublic()
		case configACL:
			if a.fullACL, err = acl.Decode(d.Document, b.Owner); err != nil {
				a.fullACL = nil // grants nothing
			}
		case configEncryption:
			if a.encrypt, err = parseEncryption(d.Document); err != nil {
				return nil, err // nothing may be written without it
			}
		case configOwnership:
			a.ownership = string(d.Document)
		case configLogging:
			a.logTo = c.logging(d.Document, b)
		case configRequestPayment:
			a.charges = bytes.Contains(d.Document, []byte("<Payer>"+payerRequester+"<"))
		case configBlock:
			a.block = new(publicBlock)
			if json.Unmarshal(d.Document, a.block) != nil {
				a.block = &publicBlock{true, true, true, true}
			}
		}
	}
	a.grants = a.fullACL
	if a.ignorePublic() {
		a.grants = a.grants.WithoutPublic()
	}
	return a, nil
}
