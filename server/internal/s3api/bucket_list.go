package s3api

import (
	"net/http"
	"strconv"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

const bucketsToken = "buckets"

func listBuckets(r *request) error {
	limit, err := r.maxBuckets()
	if err != nil {
		return err
	}
	after, _, err := r.tokenArg(bucketsToken)
	if err != nil {
		return err
	}
	if region := r.arg("bucket-region"); region != "" && region != r.api.region {
		return s3err.Newf(s3err.InvalidArgument, "Argument value %s is not a valid AWS Region for this endpoint", region).
			With("ArgumentName", "bucket-region").With("ArgumentValue", region)
	}
	prefix := r.arg("prefix")
	list, next, err := r.api.store.ListBuckets(r.http.Context(), store.ListBucketsQuery{Owner: r.owner().id, Prefix: prefix, After: after, Max: limit})
	if err != nil {
		return err
	}
	narrowed := false // AWS tells regions only to who names a parameter
	for _, name := range []string{"max-buckets", "continuation-token", "prefix", "bucket-region"} {
		narrowed = narrowed || r.query.Has(name)
	}
	x := r.doc()
	x.root("ListAllMyBucketsResult")
	x.owner("Owner", r.owner())
	x.open("Buckets")
	for _, b := range list {
		x.open("Bucket")
		x.text("Name", b.Name)
		x.time("CreationDate", b.Created)
		if narrowed {
			x.text("BucketRegion", r.regionOf(b))
		}
		x.close("Bucket")
	}
	x.close("Buckets")
	x.optional("Prefix", prefix)
	if next != "" {
		x.text("ContinuationToken", makeToken(bucketsToken, next))
	}
	x.close("ListAllMyBucketsResult")
	return r.send(http.StatusOK, x)
}

// maxBuckets reads max-buckets, which is refused where the other listings would take the nearest number.
func (r *request) maxBuckets() (int, error) {
	v := r.arg("max-buckets")
	if v == "" {
		return maxBuckets, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, invalidArgument("max-buckets", v, "Provided max-buckets not an integer or within integer range")
	}
	if n < 1 || n > maxBuckets {
		return 0, invalidArgument("max-buckets", v, "Argument max-buckets must be an integer between 1 and 10000")
	}
	return n, nil
}
