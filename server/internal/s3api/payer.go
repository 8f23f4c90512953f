package s3api

import (
	"cmp"
	"errors"
	"strings"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

const payerRequester = "Requester"

// getRequestPayment answers that the owner pays where nobody said otherwise.
func getRequestPayment(r *request) error {
	b, err := r.api.store.BucketConfig(r.http.Context(), r.bucket, configRequestPayment)
	if errors.Is(err, store.ErrNoSuchConfig) {
		return r.sendConfig("RequestPaymentConfiguration", func(x *xmlBuf) { x.text("Payer", "BucketOwner") })
	}
	if err != nil {
		return err
	}
	return r.sendStored(b)
}

// checkPayer refuses other accounts than the owner's that do not say they would pay, and whoever has none, in a bucket
// whose requester pays.
func (r *request) checkPayer(a *access) error {
	if !a.charges || r.isOwner(a) {
		return nil
	}
	payer := cmp.Or(r.header("X-Amz-Request-Payer"), r.arg("x-amz-request-payer"))
	if r.identity.Anonymous || !strings.EqualFold(payer, payerRequester) {
		return s3err.New(s3err.AccessDenied)
	}
	return nil
}

// charge says in the answer that the requester pays. Nobody is billed.
func (r *request) charge() {
	if a := r.access; a != nil && a.charges && !r.isOwner(a) {
		r.w.Header().Set("X-Amz-Request-Charged", "requester")
	}
}
