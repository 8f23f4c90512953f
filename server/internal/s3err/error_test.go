package s3err

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestEveryCodeHasStatusAndMessage(t *testing.T) {
	for code, d := range table {
		if d.message == "" || d.status < 300 || d.status > 599 {
			t.Errorf("%s: status %d, message %q", code, d.status, d.message)
		}
		if e := New(code); e.Status != code.Status() || e.Message != d.message || e.Code != code {
			t.Errorf("New(%s) = %+v", code, e)
		}
	}
}

func TestUnknownCodeIsAnInternalError(t *testing.T) {
	if e := New("NoSuchThing"); e.Status != 500 || e.Message == "" {
		t.Errorf("New of an unknown code = %+v", e)
	}
}

func TestErrorsMatchByCode(t *testing.T) {
	err := fmt.Errorf("get: %w", New(NoSuchKey).With("Key", "a").Wrap(io.ErrUnexpectedEOF))
	if !Is(err, NoSuchKey) || Is(err, NoSuchBucket) || Is(nil, NoSuchKey) || Is(io.EOF, NoSuchKey) {
		t.Error("Is does not match by code")
	}
	if !errors.Is(err, New(NoSuchKey)) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, New(AccessDenied)) {
		t.Error("errors.Is does not match by code and cause")
	}
	var e *Error
	if !errors.As(err, &e) || e.Field("Key") != "a" || e.Field("Bucket") != "" {
		t.Errorf("errors.As gave %+v", e)
	}
	outer := New(InternalError).Wrap(err)
	if !Is(outer, NoSuchKey) || !Is(outer, InternalError) {
		t.Error("Is does not look into causes")
	}
}

func TestCopiesDoNotShareFields(t *testing.T) {
	base := New(NoSuchKey).With("A", "1")
	x, y := base.With("X", "x"), base.With("Y", "y")
	if len(base.Fields) != 1 || x.Fields[1].Name != "X" || y.Fields[1].Name != "Y" {
		t.Errorf("base %v, x %v, y %v", base.Fields, x.Fields, y.Fields)
	}
	if base.WithMessage("m").Message != "m" || base.Message == "m" {
		t.Error("WithMessage changed its receiver")
	}
}

func TestXMLDocument(t *testing.T) {
	got := New(NoSuchBucket).With("BucketName", "b").AppendXML(nil, Context{Resource: "/b", RequestID: "1", HostID: "h"})
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message><BucketName>b</BucketName>` +
		`<Resource>/b</Resource><RequestId>1</RequestId><HostId>h</HostId></Error>`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := New(NoSuchKey).AppendInner([]byte("x")); string(got) != "x<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>" {
		t.Errorf("AppendInner = %s", got)
	}
}

func FuzzXMLIsWellFormed(f *testing.F) {
	for _, s := range []string{"", "a<b>&\"'", "\x00\x1f\x7f\t\r\n", "\xff\xfe", "\uFFFE\uFFFF", "日本語", "]]>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		doc := Newf(InvalidArgument, "%s", s).With("Key", s).AppendXML(nil, Context{Resource: s})
		var out struct {
			Code, Message, Key, Resource string
		}
		d := xml.NewDecoder(bytes.NewReader(doc))
		if err := d.Decode(&out); err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		if out.Code != "InvalidArgument" || out.Message != out.Key || out.Key != out.Resource {
			t.Fatalf("%q decoded to %+v", doc, out)
		}
	})
}
