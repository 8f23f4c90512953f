package s3api

import (
	"net/http"
	"strings"

	"pail/server/internal/s3err"
	"pail/server/internal/store"
	"pail/server/internal/website"
)

// websiteOp is what every request of a website is, to authorize and to the metrics.
var websiteOp = op{name: "GetWebsiteObject", scope: onObject, action: "s3:GetObject"}

// site is what a request of a bucket's website has beside that of an object.
type site struct {
	request  website.Request
	config   *website.Configuration // nil until it is known
	document *s3err.Error           // why the document for errors could not be shown; nil: none was asked for
}

// Websites is the handler of a listener that has websites only: the bucket is the label below one of WebsiteDomains,
// else the whole name of the host.
func (a *API) Websites() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		host := hostName(hr.Host)
		bucket, _, ok := below(host, a.websites)
		if !ok {
			bucket = host
		}
		a.handle(w, hr, request{bucket: bucket, site: new(site)})
	})
}

// websiteBucket gives the bucket of a request to a website on a listener of S3. Of domains that lie below each other the
// longest decides.
func (a *API) websiteBucket(host string) (string, bool) {
	if len(a.websites) == 0 {
		return "", false
	}
	host = hostName(host)
	bucket, domain, ok := below(host, a.websites)
	_, other, _ := below(host, a.domains)
	return bucket, ok && len(domain) >= len(other)
}

// parseSite reads the path of a website's request. Its query has no meaning here; it goes along with redirects.
func (r *request) parseSite() error {
	if headerSize(r.http) > maxHeaderBytes {
		return s3err.New(s3err.RequestHeaderSectionTooLarge)
	}
	rawPath, rawQuery := splitURI(r.http.RequestURI)
	path, err := unescape(rawPath)
	if err != nil {
		return err
	}
	r.key = strings.TrimPrefix(path, "/")
	r.op, r.opName = &websiteOp, websiteOp.name
	r.identity.Anonymous = true
	r.site.request = website.Request{Secure: r.http.TLS != nil, Host: r.http.Host, Key: r.key, Query: rawQuery}
	return checkKey(r.key)
}

// serveSite answers a visitor of a website, who is nobody: a policy or ACL must let everybody read what is to be seen.
func (r *request) serveSite() error {
	switch m := r.http.Method; m {
	case http.MethodOptions:
		return preflight(r)
	case http.MethodGet, http.MethodHead:
	default:
		return s3err.New(s3err.MethodNotAllowed).With("Method", m).With("ResourceType", "OBJECT")
	}
	if err := r.requireBucket(); err != nil {
		return err
	}
	conf, err := configOf(r.http.Context(), r.api.configs, r.bucket, store.ConfigWebsite, website.Parse)
	if err != nil {
		return err
	}
	if conf == nil {
		return s3err.New(s3err.NoSuchWebsiteConfiguration).With("BucketName", r.bucket)
	}
	r.site.config = conf
	if to, ok := conf.Before(r.site.request); ok {
		return r.redirect(to)
	}
	path := r.key
	err = r.sitePage(conf.Key(path))
	if err == nil || r.w.status != 0 {
		return err
	}
	if index := path + "/" + conf.IndexDocument.Suffix; conf.Key(path) == path && len(index) <= maxKeyLength && r.visible(index) {
		return r.redirect(website.Target{Status: http.StatusFound, Location: "/" + website.Path(path) + "/"})
	}
	r.key = conf.Key(path)
	return r.siteError(err)
}

// sitePage answers with an object, or with the redirect that the object is.
func (r *request) sitePage(key string) error {
	o, err := r.siteObject(key)
	if err != nil {
		return err
	}
	if to := o.Attrs.WebsiteRedirect; to != "" {
		return r.redirect(website.Target{Status: http.StatusMovedPermanently, Location: website.Header(to)})
	}
	if r.http.Method == http.MethodHead {
		return headObject(r)
	}
	return getObject(r)
}

// siteObject looks an object up that the visitor may see, and makes it the request's own.
func (r *request) siteObject(key string) (store.Object, error) {
	if err := checkKey(key); err != nil {
		return store.Object{}, err
	}
	r.key = key
	if err := authorize(r); err != nil {
		return store.Object{}, err
	}
	return r.api.store.HeadObject(r.http.Context(), r.bucket, r.key, store.ReadInput{})
}

func (r *request) visible(key string) bool {
	_, err := r.siteObject(key)
	return err == nil
}

func (r *request) redirect(to website.Target) error {
	r.w.Header().Set("Location", to.Location)
	return r.empty(to.Status)
}

// siteError answers what no page could be answered to: with a rule's redirect, or the site's own document for errors. The
// error that comes back is for the plain page (website_page.go).
func (r *request) siteError(err error) error {
	e := r.translate(err)
	if e.Status == http.StatusNotModified {
		return e
	}
	if to, ok := r.site.config.After(r.site.request, e.Status); ok {
		return r.redirect(to)
	}
	doc := r.site.config.ErrorDocument
	if doc == nil || e.Status >= http.StatusInternalServerError {
		return e
	}
	missing := r.key
	if err := r.errorDocument(doc.Key, e); err != nil {
		if r.w.status != 0 {
			return err
		}
		r.site.document = r.translate(err)
		r.key = missing
		return e
	}
	return nil
}

// errorDocument answers e with the site's document for errors.
func (r *request) errorDocument(key string, e *s3err.Error) error {
	o, err := r.siteObject(key)
	if err != nil {
		return err
	}
	if to := o.Attrs.WebsiteRedirect; to != "" {
		return r.redirect(website.Target{Status: http.StatusMovedPermanently, Location: website.Header(to)})
	}
	obj, err := r.api.store.GetObject(r.http.Context(), r.bucket, key, store.ReadInput{})
	if err != nil {
		return err
	}
	defer obj.Close()
	if err := r.readKey(&obj.Object, nil); err != nil {
		return err
	}
	s := span{length: o.Size, status: e.Status}
	r.code = string(e.Code)
	setErrorHeaders(r.w.Header(), e)
	r.setObjectHeaders(reading{}, s, &obj.Object)
	r.w.WriteHeader(s.status)
	if r.http.Method == http.MethodHead {
		return nil
	}
	return r.copyOut(obj, s)
}
