package s3api

import (
	"net/http"
	"net/url"
	"time"

	"pail/server/internal/lifecycle"
	"pail/server/internal/store"
	"pail/server/internal/tags"
)

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
