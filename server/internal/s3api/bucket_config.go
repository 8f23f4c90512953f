package s3api

import (
	"net/http"

	"pail/server/internal/bucketdoc"
	"pail/server/internal/s3err"
)

// Answers about a bucket's configuration, true while none can be set: see bucketConfigOps.

// requireBucket answers NoSuchBucket where there is none.
func (r *request) requireBucket() error {
	_, err := r.api.store.HeadBucket(r.http.Context(), r.bucket)
	return err
}

// noConfig answers AWS's error for a configuration that was never set.
func noConfig(code s3err.Code) func(*request) error {
	return func(r *request) error {
		if err := r.requireBucket(); err != nil {
			return err
		}
		return s3err.New(code).With("BucketName", r.bucket)
	}
}

// deleteNone answers who removes a configuration that no bucket can have: it is gone.
func deleteNone(r *request) error {
	if err := r.requireBucket(); err != nil {
		return err
	}
	return r.empty(http.StatusNoContent)
}

// getBucketABAC says that no bucket's tags decide about access, as at AWS until somebody turns that on.
func getBucketABAC(r *request) error {
	return r.sendConfig("AbacStatus", func(x *xmlBuf) { x.text("Status", "Disabled") })
}

// putBucketABAC takes the only state that there is. To keep another one would promise a protection that is not there.
func putBucketABAC(r *request) error {
	n, err := r.readDoc(bucketdoc.Abac())
	if err != nil {
		return err
	}
	if n.Value("Status") != "Disabled" {
		return s3err.Newf(s3err.NotImplemented, "Access control by the tags of buckets is not implemented.")
	}
	return r.empty(http.StatusOK)
}

func (r *request) sendConfig(root string, fill func(*xmlBuf)) error {
	if err := r.requireBucket(); err != nil {
		return err
	}
	x := r.doc()
	x.root(root)
	fill(x)
	x.close(root)
	return r.send(http.StatusOK, x)
}

// requireObject answers NoSuchKey where there is none.
func (r *request) requireObject() error {
	_, err := r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, readInput(r))
	return err
}
