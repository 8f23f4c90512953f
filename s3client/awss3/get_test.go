package awss3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"pail/s3client"
)

func TestTruncatedBodyIsDetected(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "only this")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	data, err := io.ReadAll(o.Body)
	if string(data) != "only this" {
		t.Errorf("read %q", data)
	}
	e := wantErr(t, err, s3client.ErrUnavailable)
	if e.Key != "k" || e.Op != s3client.OpGet {
		t.Errorf("error is %#v", e)
	}
}

func crc32Header(s string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(s))))
}

func TestWholeObjectIsVerified(t *testing.T) {
	const content = "the content"
	tests := []struct {
		name   string
		header map[string]string
		ok     bool
	}{
		{"right", map[string]string{"x-amz-checksum-crc32": crc32Header(content)}, true},
		{"wrong", map[string]string{"x-amz-checksum-crc32": crc32Header("other")}, false},
		{"wrong of the whole", map[string]string{"x-amz-checksum-crc32": crc32Header("other"), "x-amz-checksum-type": "FULL_OBJECT"}, false},
		{"composite", map[string]string{"x-amz-checksum-crc32": crc32Header("other") + "-2"}, true},
		{"said to be composite", map[string]string{"x-amz-checksum-crc32": crc32Header("other"), "x-amz-checksum-type": "COMPOSITE"}, true},
		{"garbage", map[string]string{"x-amz-checksum-crc32": "!"}, true},
		{"none", nil, true},
	}
	for _, test := range tests {
		for _, chunked := range []bool{false, true} {
			t.Run(test.name+" chunked="+strconv.FormatBool(chunked), func(t *testing.T) {
				c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("X-Amz-Checksum-Mode") != "ENABLED" {
						t.Error("no checksum was asked for")
					}
					for name, value := range test.header {
						w.Header().Set(name, value)
					}
					if chunked {
						w.(http.Flusher).Flush()
					}
					_, _ = io.WriteString(w, content)
				})
				o, err := c.Get(t.Context(), "k", s3client.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				defer o.Body.Close()
				// A reader that asks for no more than the size must not get away with wrong bytes.
				_, err = io.ReadFull(o.Body, make([]byte, len(content)))
				if !chunked && !test.ok && err == nil {
					_, err = o.Body.Read(make([]byte, 1))
				} else if chunked {
					_, err = io.Copy(io.Discard, o.Body)
				}
				if test.ok && err != nil {
					t.Error(err)
				}
				if !test.ok {
					wantErr(t, err, s3client.ErrIntegrity)
				}
			})
		}
	}
}

func TestRangeAnswersAreChecked(t *testing.T) {
	tests := []struct {
		name         string
		status       int
		contentRange string
		length       int
		rng          s3client.Range
		ok           bool
	}{
		{"as asked", 206, "bytes 5-9/100", 5, s3client.Range{Off: 5, Len: 5}, true},
		{"cut at the end", 206, "bytes 95-99/100", 5, s3client.Range{Off: 95, Len: 50}, true},
		{"open end", 206, "bytes 95-99/100", 5, s3client.Range{Off: 95}, true},
		{"another start", 206, "bytes 4-8/100", 5, s3client.Range{Off: 5, Len: 5}, false},
		{"too long", 206, "bytes 5-10/100", 6, s3client.Range{Off: 5, Len: 5}, false},
		{"length differs", 206, "bytes 5-9/100", 4, s3client.Range{Off: 5, Len: 5}, false},
		{"no Content-Range", 206, "", 5, s3client.Range{Off: 5, Len: 5}, false},
		{"ignored", 200, "", 100, s3client.Range{Off: 5, Len: 5}, false},
		{"ignored from the start", 200, "", 100, s3client.Range{Len: 5}, false},
		{"whole as a range", 200, "", 5, s3client.Range{Len: 5}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				if test.contentRange != "" {
					w.Header().Set("Content-Range", test.contentRange)
				}
				w.Header().Set("Content-Length", strconv.Itoa(test.length))
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, strings.Repeat("x", test.length))
			})
			o, err := c.Get(t.Context(), "k", s3client.GetOptions{Range: test.rng})
			if !test.ok {
				wantErr(t, err, s3client.ErrUnsupported)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer o.Body.Close()
			if data, err := io.ReadAll(o.Body); err != nil || len(data) != test.length {
				t.Errorf("read %d bytes, error %v", len(data), err)
			}
			if test.status == 206 && o.Info.Size != 100 {
				t.Errorf("size is %d", o.Info.Size)
			}
		})
	}
}

func TestContextEndsABody(t *testing.T) {
	block := make(chan struct{})
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-block
	})
	defer close(block)
	ctx, cancel := context.WithCancel(t.Context())
	o, err := c.Get(ctx, "k", s3client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	if _, err := io.ReadFull(o.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.ReadAll(o.Body)
	wantErr(t, err, context.Canceled)
}
