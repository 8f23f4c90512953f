package s3api

import (
	"net/http"

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
