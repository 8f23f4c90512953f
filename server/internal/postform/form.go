package postform

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"pail/server/internal/s3err"
)

// Bounds of what comes before the file, in bytes.
const (
	MaxFields = 20 << 10 // names and values (S3 API reference)
	maxBefore = 64 << 10 // with all framing
)

// Form is a form whose file has not been read yet.
type Form struct {
	Fields   map[string]string // by name in lower case
	Filename string            // of the file, without directories
	File     io.Reader         // io.EOF comes only at the boundary behind the file
}

// Read reads a form up to its file. contentType is the request's header. Errors of body pass unchanged.
func Read(contentType string, body io.Reader) (*Form, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, s3err.New(s3err.PreconditionFailed).With("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
	}
	g := &gate{body: body, left: maxBefore}
	r := multipart.NewReader(g, params["boundary"])
	f := &Form{Fields: map[string]string{}}
	size := 0
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) && g.err == nil {
			return nil, s3err.Newf(s3err.InvalidArgument, "POST requires exactly one file upload per request.").
				With("ArgumentName", "file").With("ArgumentValue", "0")
		}
		if err != nil {
			return nil, g.explain(err)
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			g.open = true
			f.Filename, f.File = baseName(part), &file{part: part, gate: g}
			f.expand()
			return f, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, MaxFields+1))
		if err != nil {
			return nil, g.explain(err)
		}
		if size += len(name) + len(value); size > MaxFields {
			return nil, tooLong()
		}
		if _, twice := f.Fields[name]; !twice && name != "" {
			f.Fields[name] = string(value)
		}
	}
}

// baseName gives the file's name as the client has it, without the directories that some browsers send.
func baseName(p *multipart.Part) string {
	_, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	name := params["filename"]
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

// expand replaces ${filename} in the fields.
func (f *Form) expand() {
	for name, value := range f.Fields {
		if name != "policy" && strings.Contains(value, "${filename}") {
			f.Fields[name] = strings.ReplaceAll(value, "${filename}", f.Filename)
		}
	}
}

func tooLong() error {
	return s3err.New(s3err.MaxPostPreDataLengthExceeded)
}

var errBefore = errors.New("too much before the file")

// gate bounds what may be read before the file.
type gate struct {
	body io.Reader
	left int
	open bool
	err  error // of the body, but for io.EOF
}

func (g *gate) Read(p []byte) (int, error) {
	if !g.open {
		if g.left == 0 {
			g.err = errBefore
			return 0, g.err
		}
		p = p[:min(len(p), g.left)]
	}
	n, err := g.body.Read(p)
	g.left -= min(n, g.left)
	if err != nil && !errors.Is(err, io.EOF) {
		g.err = err
	}
	return n, err
}

// explain makes the error of the form's reader the client's.
func (g *gate) explain(err error) error {
	switch {
	case errors.Is(g.err, errBefore):
		return tooLong()
	case g.err != nil:
		return g.err
	}
	return s3err.New(s3err.MalformedPOSTRequest).Wrap(err)
}

type file struct {
	part *multipart.Part
	gate *gate
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.gate.explain(err)
	}
	return n, err
}
