package s3api

import (
	"html"
	"net/http"
	"strconv"

	"pail/server/internal/s3err"
)

// setErrorHeaders tells an error in the headers of a website's answer, whose body is for people.
func setErrorHeaders(h http.Header, e *s3err.Error) {
	h.Set("X-Amz-Error-Code", string(e.Code))
	h.Set("X-Amz-Error-Message", headerValue(e.Message))
	for _, f := range e.Fields {
		h.Set("X-Amz-Error-Detail-"+f.Name, headerValue(f.Value))
	}
}

// sendPage answers an error of a website with a page in the form of AWS's.
func (r *request) sendPage(e *s3err.Error) {
	h := r.w.Header()
	setErrorHeaders(h, e)
	page := appendPage(nil, e, r.site.document, r.id, r.api.hostID)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	r.w.WriteHeader(e.Status)
	if r.http.Method != http.MethodHead {
		_, _ = r.w.Write(page) // a visitor who is gone needs no page
	}
}

// appendPage appends the page of e. document, which may be nil, is why the site's own page is not shown.
func appendPage(dst []byte, e, document *s3err.Error, requestID, hostID string) []byte {
	title := strconv.Itoa(e.Status) + " " + http.StatusText(e.Status)
	dst = append(dst, "<html>\n<head><title>"+title+"</title></head>\n<body>\n<h1>"+title+"</h1>\n<ul>\n"...)
	dst = appendItems(dst, e)
	dst = appendItem(dst, "RequestId", requestID)
	dst = appendItem(dst, "HostId", hostID)
	dst = append(dst, "</ul>\n"...)
	if document != nil {
		dst = append(dst, "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n"...)
		dst = append(appendItems(dst, document), "</ul>\n"...)
	}
	return append(dst, "<hr/>\n</body>\n</html>\n"...)
}

func appendItems(dst []byte, e *s3err.Error) []byte {
	dst = appendItem(dst, "Code", string(e.Code))
	dst = appendItem(dst, "Message", e.Message)
	for _, f := range e.Fields {
		dst = appendItem(dst, f.Name, f.Value)
	}
	return dst
}

func appendItem(dst []byte, name, value string) []byte {
	return append(dst, "<li>"+name+": "+html.EscapeString(value)+"</li>\n"...)
}
