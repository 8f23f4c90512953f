package s3api

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"

	"pail/server/internal/lifecycle"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
	"pail/server/internal/tags"
)

// configMinimumSize is which sizes transitions leave alone by default. It goes with the lifecycle configuration, in a header.
const (
	configMinimumSize store.ConfigKind = "lifecycleMinimumSize"

	minimumSizeHeader  = "X-Amz-Transition-Default-Minimum-Object-Size"
	minimumSizeAll     = "all_storage_classes_128K" // the default
	minimumSizeByClass = "varies_by_storage_class"
)

func putLifecycle(r *request) error {
	size := cmp.Or(r.header(minimumSizeHeader), minimumSizeAll)
	if size != minimumSizeAll && size != minimumSizeByClass {
		return invalidArgument("x-amz-transition-default-minimum-object-size", size, "Invalid transition default minimum object size")
	}
	doc := new(lifecycle.Configuration)
	if err := r.readConfig(doc); err != nil {
		return err
	}
	if err := r.api.store.SetBucketConfig(r.http.Context(), r.bucket, configMinimumSize, []byte(size)); err != nil {
		return err
	}
	if err := r.setConfig(store.ConfigLifecycle, "LifecycleConfiguration", doc); err != nil {
		return err
	}
	r.w.Header().Set(minimumSizeHeader, size)
	return r.empty(http.StatusOK)
}

func getLifecycle(r *request) error {
	document, err := r.api.store.BucketConfig(r.http.Context(), r.bucket, store.ConfigLifecycle)
	if errors.Is(err, store.ErrNoSuchConfig) {
		return s3err.New(s3err.NoSuchLifecycleConfiguration).With("BucketName", r.bucket)
	}
	if err != nil {
		return err
	}
	size, err := r.api.store.BucketConfig(r.http.Context(), r.bucket, configMinimumSize)
	if err != nil && !errors.Is(err, store.ErrNoSuchConfig) {
		return err
	}
	r.w.Header().Set(minimumSizeHeader, cmp.Or(string(size), minimumSizeAll))
	return r.sendStored(document)
}

func (r *request) lifecycleConfig() *lifecycle.Configuration {
	c, err := configOf(r.http.Context(), r.api.configs, r.bucket, store.ConfigLifecycle, lifecycle.Parse)
	if err != nil {
		r.api.log.Error("lifecycle configuration not read", "bucket", r.bucket, "request", r.id, "error", err)
		return nil
	}
	return c
}

// expiration tells in a header when an object, which is current, expires. It speaks of real days, also when the server
// has shorter ones.
func (r *request) expiration(o *store.Object) {
	c := r.lifecycleConfig()
	if c == nil {
		return
	}
	when, rule, ok := c.Expires(lifecycle.Object{Key: o.Key, Size: o.Size, Modified: o.LastModified, Tags: tags.Set(o.Attrs.Tags)}, lifecycle.Day)
	if ok {
		r.w.Header().Set("X-Amz-Expiration", `expiry-date="`+when.UTC().Format(http.TimeFormat)+`", rule-id="`+url.QueryEscape(rule)+`"`)
	}
}

// abortion tells in headers when an upload is aborted.
func (r *request) abortion(initiated time.Time) {
	c := r.lifecycleConfig()
	if c == nil {
		return
	}
	if when, rule, ok := c.AbortAt(r.key, initiated, lifecycle.Day); ok {
		r.w.Header().Set("X-Amz-Abort-Date", when.UTC().Format(http.TimeFormat))
		r.w.Header().Set("X-Amz-Abort-Rule-Id", rule)
	}
}
