package s3api

import (
	"errors"
	"net/http"
	"strings"

	"pail/server/internal/cors"
	"pail/server/internal/s3err"
	"pail/server/internal/store"
)

func (r *request) corsConfig() (*cors.Configuration, error) {
	return configOf(r.http.Context(), r.api.configs, r.bucket, store.ConfigCORS, cors.Parse)
}

// corsHeaders lets the page of another site read the answer, be it an error, where the bucket allows that.
func (r *request) corsHeaders() {
	origin := r.header("Origin")
	if origin == "" || r.bucket == "" || r.http.Method == http.MethodOptions {
		return
	}
	conf, err := r.corsConfig()
	if err != nil || conf == nil {
		return // the operation meets the error itself
	}
	q := cors.Request{Origin: origin, Method: r.http.Method}
	if m := r.header("Access-Control-Request-Method"); m != "" {
		q.Method = m
	}
	r.vary()
	if g, ok := conf.Allow(q); ok {
		r.grant(g)
	}
}

func (r *request) vary() {
	r.w.Header().Add("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

func (r *request) grant(g cors.Grant) {
	h := r.w.Header()
	h.Set("Access-Control-Allow-Origin", g.Origin)
	h.Set("Access-Control-Allow-Methods", strings.Join(g.Rule.AllowedMethods, ", "))
	set(h, "Access-Control-Expose-Headers", strings.Join(g.Rule.ExposeHeaders, ", "))
	if g.Rule.MaxAgeSeconds != nil {
		h.Set("Access-Control-Max-Age", itoa(*g.Rule.MaxAgeSeconds))
	}
	if g.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// preflight answers a browser that asks whether another site's page may call. It needs no credentials: browsers send
// none.
func preflight(r *request) error {
	q := cors.Request{Origin: r.header("Origin"), Method: r.header("Access-Control-Request-Method"),
		Headers: fields(r.http.Header.Values("Access-Control-Request-Headers"))}
	if q.Origin == "" {
		return s3err.Newf(s3err.BadRequest, "Insufficient information. Origin request header needed.")
	}
	if q.Method == "" {
		return s3err.Newf(s3err.BadRequest, "Invalid Access-Control-Request-Method: null")
	}
	if r.bucket == "" {
		return r.noCORS(q, "CORSResponse: CORS is not enabled for this bucket.")
	}
	if err := r.requireBucket(); errors.Is(err, store.ErrNoSuchBucket) {
		return r.noCORS(q, "CORSResponse: Bucket not found")
	} else if err != nil {
		return err
	}
	conf, err := r.corsConfig()
	if err != nil {
		return err
	}
	if conf == nil {
		return r.noCORS(q, "CORSResponse: CORS is not enabled for this bucket.")
	}
	r.vary()
	g, ok := conf.Allow(q)
	if !ok {
		return r.noCORS(q, "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.")
	}
	r.grant(g)
	set(r.w.Header(), "Access-Control-Allow-Headers", strings.ToLower(strings.Join(q.Headers, ", ")))
	return r.empty(http.StatusOK)
}

func (r *request) noCORS(q cors.Request, message string) error {
	return s3err.Newf(s3err.AccessForbidden, "%s", message).With("Method", q.Method).With("ResourceType", resourceType(r.scope(), ""))
}

// fields splits a header's values at commas.
func fields(values []string) (list []string) {
	for _, v := range values {
		for f := range strings.SplitSeq(v, ",") {
			if f = strings.TrimSpace(f); f != "" {
				list = append(list, f)
			}
		}
	}
	return list
}
