package s3api

import (
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"pail/server/internal/sigauth"
	"pail/server/internal/store"
	"pail/server/internal/tags"
)

// conditionValues gives what the request has for a condition key of a policy, nil when it has none. keys are in lower case
// up to "/".
func (r *request) conditionValues(a *access, q question, key string) []string {
	switch head, tail, _ := strings.Cut(key, "/"); head {
	case "s3:existingobjecttag":
		return tagValues(r.existingTags(q), tail)
	case "s3:requestobjecttag":
		return tagValues(r.requestTags(), tail)
	case "s3:requestobjecttagkeys":
		var keys []string
		for _, t := range r.requestTags() {
			keys = append(keys, t.Key)
		}
		return keys
	}
	if name, ok := strings.CutPrefix(key, "s3:"); ok {
		return r.s3Values(a, q, name)
	}
	return r.globalValues(a, key)
}

func one(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}

// globalValues are those of the keys "aws:...".
func (r *request) globalValues(a *access, key string) []string {
	id := &r.identity
	switch key {
	case "aws:sourceip":
		host, _, err := net.SplitHostPort(r.http.RemoteAddr)
		if err != nil {
			host = r.http.RemoteAddr
		}
		return one(host)
	case "aws:securetransport":
		return one(strconv.FormatBool(r.http.TLS != nil))
	case "aws:referer":
		return one(r.header("Referer"))
	case "aws:useragent":
		return one(r.header("User-Agent"))
	case "aws:currenttime":
		return one(r.api.now().UTC().Format(time.RFC3339Nano))
	case "aws:epochtime":
		return one(itoa64(r.api.now().Unix()))
	case "aws:principalarn":
		return one(id.ARN)
	case "aws:principalaccount":
		return one(id.AccountID)
	case "aws:userid":
		return one(id.AccountID + strings.TrimSuffix(":"+id.User, ":"))
	case "aws:username":
		return one(id.User)
	case "aws:principaltype":
		switch {
		case id.Anonymous:
			return one("Anonymous")
		case id.User == "":
			return one("Account")
		}
		return one("User")
	case "aws:requestedregion":
		return one(r.api.region)
	case "aws:resourceaccount":
		return one(r.api.accountOf(a.bucket.Owner).ID)
	}
	return nil
}

// s3Values are those of the keys "s3:...".
func (r *request) s3Values(a *access, q question, name string) []string {
	switch name {
	case "prefix", "delimiter", "max-keys":
		if r.op.name == "DeleteDirectory" && name == "prefix" {
			return one(r.key)
		}
		return r.query[name] // given but empty is a value too
	case "versionid":
		return one(q.version)
	case "resourceaccount":
		return one(r.api.accountOf(a.bucket.Owner).ID)
	case "authtype", "signatureversion", "signatureage":
		return one(r.signature(name))
	case "tlsversion":
		if r.http.TLS == nil {
			return nil
		}
		return one("1." + itoa(int(r.http.TLS.Version)-0x0301))
	case "if-match", "if-none-match":
		return one(strings.Trim(r.header(name), `"`))
	case "x-amz-copy-source":
		src, err := parseCopySource(r.header(name))
		if err != nil {
			return nil
		}
		return one(src.bucket + "/" + src.key)
	case "object-lock-mode", "object-lock-retain-until-date", "object-lock-legal-hold":
		return one(r.lockHeader("X-Amz-" + name))
	case "object-lock-remaining-retention-days":
		until, err := time.Parse(time.RFC3339, r.lockHeader("X-Amz-Object-Lock-Retain-Until-Date"))
		if err != nil {
			return nil
		}
		return one(itoa(int(math.Ceil(until.Sub(r.api.now()).Hours() / 24))))
	}
	if strings.HasPrefix(name, "x-amz-") {
		return one(r.header(name))
	}
	return nil
}

// signature tells how the request was signed.
func (r *request) signature(name string) string {
	kind := r.identity.Signature
	if kind == "" {
		return ""
	}
	presigned := kind == sigauth.V4Presigned || kind == sigauth.V2Presigned
	switch name {
	case "authtype":
		switch {
		case r.op.name == "PostObject":
			return "POST"
		case presigned:
			return "REST-QUERY-STRING"
		}
		return "REST-HEADER"
	case "signatureversion":
		if kind == sigauth.V2 || kind == sigauth.V2Presigned {
			return "AWS"
		}
		return "AWS4-HMAC-SHA256"
	}
	date := r.arg("X-Amz-Date")
	if date == "" {
		date = r.header("X-Amz-Date")
	}
	t, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return ""
	}
	return itoa64(r.api.now().Sub(t).Milliseconds())
}

// existingTags reads the tags of the object that a question is about.
func (r *request) existingTags(q question) tags.Set {
	if q.key == "" {
		return nil
	}
	o, err := r.api.store.HeadObject(r.http.Context(), q.bucket, q.key, store.ReadInput{VersionID: q.version})
	if err != nil {
		return nil // what is not there has no tags
	}
	return o.Attrs.Tags
}

// lockHeader is what the request protects an object with, in its headers or its body.
func (r *request) lockHeader(name string) string {
	if r.given.lock != nil {
		return r.given.lock.Get(name)
	}
	return r.header(name)
}

// requestTags are the tags that the request gives an object.
func (r *request) requestTags() tags.Set {
	if r.given.tags != nil {
		return r.given.tags
	}
	set, err := tags.ParseHeader(r.header("X-Amz-Tagging"))
	if err != nil {
		return nil // the operation itself answers that
	}
	return set
}

func tagValues(set tags.Set, key string) []string {
	v, ok := set.Get(key)
	if !ok {
		return nil
	}
	return []string{v}
}
