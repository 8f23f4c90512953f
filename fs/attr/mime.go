package attr

import (
	"bufio"
	"io"
	"os"
	"strings"
)

// MIME maps file name extensions to content types. It is not changed after it was made, so any number of goroutines
// may use it; nil is an empty map.
type MIME struct{ types map[string]string }

// DefaultMIME returns the few types that a machine without /etc/mime.types gets.
func DefaultMIME() *MIME {
	return &MIME{types: map[string]string{
		"css": "text/css", "csv": "text/csv", "gif": "image/gif", "gz": "application/gzip", "htm": "text/html",
		"html": "text/html", "ico": "image/vnd.microsoft.icon", "jpeg": "image/jpeg", "jpg": "image/jpeg",
		"js": "text/javascript", "json": "application/json", "md": "text/markdown", "mp3": "audio/mpeg",
		"mp4": "video/mp4", "pdf": "application/pdf", "png": "image/png", "svg": "image/svg+xml",
		"tar": "application/x-tar", "txt": "text/plain", "wasm": "application/wasm", "webm": "video/webm",
		"webp": "image/webp", "xml": "application/xml", "zip": "application/zip",
	}}
}

// LoadMIME reads a file in the format of mime.types(5). A file that is not there gives DefaultMIME and no error when
// path is the default, "/etc/mime.types" or "", and an error otherwise.
func LoadMIME(path string) (*MIME, error) {
	const standard = "/etc/mime.types"
	if path == "" {
		path = standard
	}
	f, err := os.Open(path)
	if err != nil {
		if os.IsNotExist(err) && path == standard {
			return DefaultMIME(), nil
		}
		return nil, err
	}
	defer f.Close()
	return ParseMIME(f)
}

// ParseMIME reads lines of a type and its extensions; "#" starts a comment.
func ParseMIME(r io.Reader) (*MIME, error) {
	m := &MIME{types: map[string]string{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		for i := 1; i < len(fields); i++ {
			m.types[strings.ToLower(fields[i])] = fields[0]
		}
	}
	return m, lines.Err()
}

// ContentType returns what to store for a file called name with this mode: directories have their own type, regular
// files go by extension, all else is an octet stream. As in s3fs, an unknown last extension falls back to the one
// before it ("page.html.bak").
func ContentType(name string, mode uint32, mime *MIME) string {
	switch {
	case IsDir(mode):
		return TypeDirectory
	case !IsRegular(mode) || mime == nil:
		return TypeOctetStream
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	for range 2 {
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			break
		}
		if t, ok := mime.types[strings.ToLower(name[dot+1:])]; ok {
			return t
		}
		name = name[:dot]
	}
	return TypeOctetStream
}
