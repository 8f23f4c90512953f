package s3err

import "pail/server/internal/xmltext"

// Context is what the request adds to every error document. Empty members are left out.
type Context struct {
	Resource  string
	RequestID string
	HostID    string
}

// AppendXML appends e as S3's error document. Characters that XML 1.0 cannot hold, and bytes that are not UTF-8,
// become U+FFFD: a strict parser must be able to read every answer.
func (e *Error) AppendXML(dst []byte, c Context) []byte {
	dst = append(dst, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error>"...)
	dst = appendElement(dst, "Code", string(e.Code))
	dst = appendElement(dst, "Message", e.Message)
	for _, f := range e.Fields {
		dst = appendElement(dst, f.Name, f.Value)
	}
	if c.Resource != "" {
		dst = appendElement(dst, "Resource", c.Resource)
	}
	if c.RequestID != "" {
		dst = appendElement(dst, "RequestId", c.RequestID)
	}
	if c.HostID != "" {
		dst = appendElement(dst, "HostId", c.HostID)
	}
	return append(dst, "</Error>"...)
}

// AppendInner appends the Code and Message elements alone, as the Error elements of a DeleteObjects answer hold them.
func (e *Error) AppendInner(dst []byte) []byte {
	dst = appendElement(dst, "Code", string(e.Code))
	return appendElement(dst, "Message", e.Message)
}

func appendElement(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, '<'), name...), '>')
	dst = xmltext.Append(dst, value)
	return append(append(append(dst, '<', '/'), name...), '>')
}
