package passwd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Entry holds the credentials for a bucket, or with Bucket "" for all others. It prints without its secret.
type Entry struct {
	Bucket, AccessKey, SecretKey string
}

// String names bucket and access key only.
func (e Entry) String() string {
	if e.Bucket == "" {
		return "credentials of " + e.AccessKey
	}
	return "credentials of " + e.AccessKey + " for bucket " + e.Bucket
}

// GoString keeps the secret out of %#v.
func (e Entry) GoString() string { return e.String() }

// LogValue keeps the secret out of logs.
func (e Entry) LogValue() slog.Value { return slog.StringValue(e.String()) }

// LineError is a line that cannot be read. It does not hold the line's text.
type LineError struct {
	File string // "" where the reader has no name
	Line int    // from 1; 0: the file as a whole
	What string
}

// Error gives file, line number and remedy.
func (e *LineError) Error() string {
	where := "passwd file"
	if e.File != "" {
		where += " " + e.File
	}
	if e.Line > 0 {
		where += fmt.Sprintf(", line %d", e.Line)
	}
	return where + ": " + e.What
}

// Names of the key=value form.
const (
	nameAccessKey = "AWSAccessKeyId"
	nameSecretKey = "AWSSecretKey"
)

// parser collects entries, and the values of the key=value form with their lines.
type parser struct {
	entries []Entry
	seen    map[string]int // bucket -> line
	pair    map[string]string
	pairAt  int
}

// Parse reads a passwd file. No entries at all are no error here. A file with the key=value form has that one entry only,
// as it wins over the others. Errors are *LineError, or the reader's.
func Parse(r io.Reader) ([]Entry, error) {
	p := parser{seen: map[string]int{}, pair: map[string]string{}}
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		if what := p.line(strings.TrimSpace(lines.Text()), n); what != "" {
			return nil, &LineError{Line: n, What: what}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, &LineError{Line: n + 1, What: "the line is too long to be credentials"}
	}
	if lines.Err() != nil {
		return nil, lines.Err()
	}
	return p.finish()
}

// line takes a trimmed line and says what is wrong with it, or "".
func (p *parser) line(line string, n int) string {
	switch {
	case line == "" || line[0] == '#':
		return ""
	case line[0] == '[':
		return "\"[\" begins a section of an AWS credentials file: use profile= for such a file, or write ACCESS_KEY:SECRET_KEY"
	case strings.ContainsAny(line, " \t"):
		return "there is a space or tab inside the line: write ACCESS_KEY:SECRET_KEY without spaces"
	case strings.IndexByte(line, 0) >= 0:
		return "there is a NUL byte in the line: this is not a text file"
	}
	if name, value, ok := strings.Cut(line, "="); ok && (name == nameAccessKey || name == nameSecretKey) {
		return p.pairLine(name, value, n)
	}
	first, last := strings.IndexByte(line, ':'), strings.LastIndexByte(line, ':')
	switch {
	case first < 0 && strings.Contains(line, "="): // s3fs skips names that it does not know
		return ""
	case first < 0:
		return "there is no colon: write ACCESS_KEY:SECRET_KEY or BUCKET:ACCESS_KEY:SECRET_KEY"
	case first == last:
		return p.add(Entry{AccessKey: line[:first], SecretKey: line[first+1:]}, n)
	}
	if first == 0 {
		return "the bucket's name before the first colon is empty"
	}
	return p.add(Entry{Bucket: line[:first], AccessKey: line[first+1 : last], SecretKey: line[last+1:]}, n)
}

// pairLine takes half of the key=value form. The first of two values counts, as in s3fs.
func (p *parser) pairLine(name, value string, n int) string {
	if value == "" {
		return name + " has no value"
	}
	if p.pair[name] == "" {
		p.pair[name] = value
		p.pairAt = n
	}
	return ""
}

func (p *parser) add(e Entry, n int) string {
	switch before := p.seen[e.Bucket]; {
	case e.AccessKey == "":
		return "the access key is empty"
	case e.SecretKey == "":
		return "the secret key is empty"
	case before != 0 && e.Bucket == "":
		return fmt.Sprintf("line %d has default credentials already: remove one, or put BUCKET: before it", before)
	case before != 0:
		return fmt.Sprintf("line %d has credentials for the same bucket already: remove one", before)
	}
	p.seen[e.Bucket] = n
	p.entries = append(p.entries, e)
	return ""
}

func (p *parser) finish() ([]Entry, error) {
	if len(p.pair) == 0 {
		return p.entries, nil
	}
	for _, name := range []string{nameAccessKey, nameSecretKey} {
		if p.pair[name] == "" {
			return nil, &LineError{Line: p.pairAt, What: "there is no line " + name + "=... to go with it"}
		}
	}
	return []Entry{{AccessKey: p.pair[nameAccessKey], SecretKey: p.pair[nameSecretKey]}}, nil
}
