package postform

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pail/server/internal/s3err"
)

const contentType = "multipart/form-data; boundary=B"

// form builds a body; a field "file:NAME" is a file of that name.
func form(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("--B\r\nContent-Disposition: form-data; name=\"")
		if name, ok := strings.CutPrefix(fields[i], "file:"); ok {
			b.WriteString("file\"; filename=\"" + name + "\"\r\nContent-Type: text/x")
		} else {
			b.WriteString(fields[i] + "\"")
		}
		b.WriteString("\r\n\r\n" + fields[i+1] + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

func code(err error) s3err.Code {
	var e *s3err.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestFormsAreRead(t *testing.T) {
	f, err := Read(contentType, strings.NewReader(form("Key", "up/${filename}", "key", "second", "policy", "${filename}", "acl", "private",
		`file:C:\dir\a.txt`, "bytes\r\n--B is not the end", "submit", "Upload")))
	if err != nil {
		t.Fatal(err)
	}
	if f.Fields["key"] != "up/a.txt" || f.Fields["policy"] != "${filename}" || f.Fields["acl"] != "private" || f.Fields["submit"] != "" || f.Filename != "a.txt" {
		t.Errorf("%+v", f)
	}
}

func TestTheFileEndsAtItsBoundaryOnly(t *testing.T) {
	whole := form("key", "k", "file:f", "0123456789")
	for cut := range len(whole) - 4 {
		f, err := Read(contentType, strings.NewReader(whole[:cut]))
		if err != nil {
			if code(err) != s3err.MalformedPOSTRequest && code(err) != s3err.InvalidArgument {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		got, err := io.ReadAll(f.File)
		if err == nil && string(got) != "0123456789" {
			t.Fatalf("cut at %d: %q taken for whole", cut, got)
		}
		if err != nil && code(err) != s3err.MalformedPOSTRequest {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestFormsThatAreNone(t *testing.T) {
	for _, c := range []struct {
		contentType, body string
		want              s3err.Code
	}{
		{"text/plain", "x", s3err.PreconditionFailed},
		{"multipart/form-data", "x", s3err.PreconditionFailed},
		{contentType, "", s3err.InvalidArgument},
		{contentType, "x", s3err.InvalidArgument},
		{contentType, form("key", "k"), s3err.InvalidArgument},
		{contentType, "--B\r\nno header", s3err.MalformedPOSTRequest},
		{contentType, form("key", strings.Repeat("x", MaxFields), "file:f", ""), s3err.MaxPostPreDataLengthExceeded},
		{contentType, strings.Repeat("y", 1<<20), s3err.MalformedPOSTRequest},
		{contentType, "--B\r\nX: " + strings.Repeat("y", 1<<20), s3err.MaxPostPreDataLengthExceeded},
	} {
		_, err := Read(c.contentType, strings.NewReader(c.body))
		if code(err) != c.want {
			t.Errorf("%s %.40q: %v, want %s", c.contentType, c.body, err, c.want)
		}
	}
}

func TestErrorsOfTheBodyPass(t *testing.T) {
	lost := errors.New("connection lost")
	part := form("key", "k", "file:f", "0123456789")[:100]
	if _, err := Read(contentType, io.MultiReader(strings.NewReader(part[:50]), &failing{lost})); !errors.Is(err, lost) {
		t.Errorf("before the file: %v", err)
	}
	f, err := Read(contentType, io.MultiReader(strings.NewReader(form("key", "k", "file:f", "0123456789"+strings.Repeat("x", 9000))[:5000]), &failing{lost}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, f.File); !errors.Is(err, lost) {
		t.Errorf("in the file: %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func encode(document string) string { return base64.StdEncoding.EncodeToString([]byte(document)) }

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func policy(conditions string) string {
	return encode(`{"expiration":"2026-06-01T13:00:00.000Z","conditions":[{"bucket":"b"},` + conditions + `]}`)
}

func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		what       string
		conditions string
		fields     map[string]string
		want       string // "" for allowed
	}{
		{"eq", `["eq","$key","k"]`, map[string]string{"key": "k"}, ""},
		{"an object is eq", `{"key":"k"}`, map[string]string{"key": "k"}, ""},
		{"eq fails", `["eq","$key","k"]`, map[string]string{"key": "K"}, "Policy Condition failed"},
		{"names in any case", `["eq","$Key","k"]`, map[string]string{"key": "k"}, ""},
		{"starts-with", `["starts-with","$key","user/"]`, map[string]string{"key": "user/x"}, ""},
		{"starts-with fails", `["starts-with","$key","user/"]`, map[string]string{"key": "other/x"}, "Policy Condition failed"},
		{"anything", `["starts-with","$key",""]`, map[string]string{"key": "x"}, ""},
		{"anything, and not there", `["starts-with","$key",""],["starts-with","$acl",""]`, map[string]string{"key": "x"}, ""},
		{"a field that must be there", `["starts-with","$key",""],{"acl":"private"}`, map[string]string{"key": "x"}, "Policy Condition failed"},
		{"a list of types", `["starts-with","$Content-Type","image/"],["starts-with","$key",""]`, map[string]string{"key": "x", "content-type": "image/a,image/b"}, ""},
		{"a list with another type", `["starts-with","$Content-Type","image/"],["starts-with","$key",""]`, map[string]string{"key": "x", "content-type": "image/a,text/b"}, "Policy Condition failed"},
		{"a field that no condition names", `{"key":"k"}`, map[string]string{"key": "k", "x-amz-meta-a": "b"}, "Extra input fields: x-amz-meta-a"},
		{"fields that need no condition", `{"key":"k"}`, map[string]string{"key": "k", "policy": "p", "x-amz-signature": "s", "awsaccesskeyid": "a", "x-ignore-this": "x"}, ""},
	} {
		p, err := ParsePolicy(policy(c.conditions))
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		err = p.Check(c.fields, "b", now)
		if c.want == "" && err != nil || c.want != "" && (code(err) != s3err.AccessDenied || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
	p, _ := ParsePolicy(policy(`{"key":"k"}`))
	fields := map[string]string{"key": "k"}
	if err := p.Check(fields, "other", now); code(err) != s3err.AccessDenied {
		t.Errorf("another bucket: %v", err)
	}
	if err := p.Check(fields, "b", now.Add(2*time.Hour)); code(err) != s3err.AccessDenied || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired: %v", err)
	}
	p, _ = ParsePolicy(encode(`{"expiration":"2026-06-01T13:00:00.000Z","conditions":[{"key":"k"}]}`))
	if err := p.Check(fields, "b", now); code(err) != s3err.AccessDenied {
		t.Errorf("without bucket: %v", err)
	}
	p, _ = ParsePolicy(policy(`["content-length-range",1,"10"],["content-length-range",2,20]`))
	if low, high := p.SizeRange(); low != 2 || high != 10 {
		t.Errorf("range %d to %d", low, high)
	}
}

func TestPoliciesThatAreNone(t *testing.T) {
	for _, field := range []string{"%%", encode("x"), encode("[]"), encode(`{"conditions":[{"a":"b"}]}`), encode(`{"expiration":"2026-06-01T13:00:00Z"}`),
		encode(`{"expiration":"tomorrow","conditions":[{"a":"b"}]}`),
		encode(`{"Expiration":"2026-06-01T13:00:00Z","conditions":[{"a":"b"}]}`), encode(`{"expiration":"2026-06-01T13:00:00Z","Conditions":[{"a":"b"}]}`),
		encode(`{"expiration":5,"conditions":[{"a":"b"}]}`), encode(`{"expiration":"2026-06-01T13:00:00Z","conditions":{"a":"b"}}`), policy(`{}`), policy(`{"key":1}`), policy(`["eq","key","k"]`), policy(`["eq","$key"]`),
		policy(`["like","$key","k"]`), policy(`["content-length-range",-1,2]`), policy(`["content-length-range","a",2]`), policy(`[1,2,3]`), policy(`5`)} {
		if _, err := ParsePolicy(field); code(err) != s3err.InvalidPolicyDocument {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// FuzzRead: whatever comes, reading ends within its bounds, and the error has a code.
func FuzzRead(f *testing.F) {
	f.Add([]byte(form("key", "k", "file:f", "x")))
	f.Add([]byte("--B\r\n\r\n--B--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := Read(contentType, bytes.NewReader(body))
		if err != nil {
			if code(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if _, err := io.Copy(io.Discard, got.File); err != nil && code(err) == "" {
			t.Fatal(err)
		}
	})
}

// FuzzPolicy: a policy that does not name a field never lets it through.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"expiration":"2026-06-01T13:00:00Z","conditions":[{"bucket":"b"},["starts-with","$key",""]]}`, "k")
	f.Fuzz(func(t *testing.T, document, key string) {
		p, err := ParsePolicy(encode(document))
		if err != nil {
			if code(err) != s3err.InvalidPolicyDocument {
				t.Fatal(err)
			}
			return
		}
		if strings.Contains(strings.ToLower(document), "unnamed") || strings.Contains(document, `\`) {
			return
		}
		if p.Check(map[string]string{"key": key, "unnamed": "x"}, "b", now) == nil {
			t.Fatal("a field that the policy does not name")
		}
	})
}
