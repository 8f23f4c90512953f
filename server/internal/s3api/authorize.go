package s3api

import "pail/server/internal/s3err"

// authorize is the one place that decides whether the request's identity may do what it asks. All credentials belong
// to one owner, and the owner may do everything; without credentials nothing is allowed.
func authorize(r *request) error {
	if r.identity.Anonymous {
		return s3err.New(s3err.AccessDenied)
	}
	return nil
}
