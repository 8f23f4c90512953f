package awss3

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"pail/s3client"
)

func TestTarget(t *testing.T) {
	tests := []struct {
		opt     Options
		adopted string
		want    string // of key "k k"
		region  string
	}{
		{Options{Bucket: "b1b"}, "", "https://b1b.s3.amazonaws.com/k%20k", "us-east-1"},
		{Options{Bucket: "b1b", Region: "eu-west-1"}, "", "https://b1b.s3.eu-west-1.amazonaws.com/k%20k", "eu-west-1"},
		{Options{Bucket: "b1b"}, "eu-west-1", "https://b1b.s3.eu-west-1.amazonaws.com/k%20k", "eu-west-1"},
		{Options{Bucket: "b1b", Endpoint: "https://s3.us-west-2.amazonaws.com"}, "", "https://b1b.s3.us-west-2.amazonaws.com/k%20k", "us-west-2"},
		{Options{Bucket: "b1b", Endpoint: "https://s3-us-west-2.amazonaws.com"}, "eu-west-1", "https://b1b.s3.eu-west-1.amazonaws.com/k%20k", "eu-west-1"},
		{Options{Bucket: "b1b", Endpoint: "https://s3-accelerate.amazonaws.com", Region: "eu-west-1"}, "", "https://b1b.s3-accelerate.amazonaws.com/k%20k", "eu-west-1"},
		{Options{Bucket: "b.1"}, "", "https://s3.amazonaws.com/b.1/k%20k", "us-east-1"},
		{Options{Bucket: "b.1", Endpoint: "http://s3.example.org"}, "", "http://b.1.s3.example.org/k%20k", "us-east-1"},
		{Options{Bucket: "Upper_Case", Endpoint: "http://s3.example.org"}, "", "http://s3.example.org/Upper_Case/k%20k", "us-east-1"},
		{Options{Bucket: "b1b", Endpoint: "http://localhost:8000"}, "", "http://localhost:8000/b1b/k%20k", "us-east-1"},
		{Options{Bucket: "b1b", Endpoint: "http://[::1]:8000/"}, "", "http://[::1]:8000/b1b/k%20k", "us-east-1"},
		{Options{Bucket: "b1b", Endpoint: "http://10.0.0.1/s 3/", ServicePath: "/x/"}, "", "http://10.0.0.1/s%203/x/b1b/k%20k", "us-east-1"},
		{Options{Bucket: "b1b", Endpoint: "https://s3.example.org", PathStyle: true}, "", "https://s3.example.org/b1b/k%20k", "us-east-1"},
		{Options{Bucket: "base--usw2-az1--x-s3", Region: "us-west-2"}, "", "https://base--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com/k%20k", "us-west-2"},
	}
	for _, test := range tests {
		got, err := newTarget(&test.opt, test.adopted)
		if err != nil {
			t.Errorf("%+v: %v", test.opt, err)
			continue
		}
		if u := got.url("k k", "").String(); u != test.want || got.region != test.region {
			t.Errorf("bucket %s at %q: %s in %s, want %s in %s", test.opt.Bucket, test.opt.Endpoint, u, got.region, test.want, test.region)
		}
	}
	for _, endpoint := range []string{"s3.example.org", "ftp://x", "http://", "http://u:p@x", "http://x?q", "http://x y"} {
		if _, err := New(Options{Bucket: "b", Endpoint: endpoint}); err == nil {
			t.Errorf("endpoint %q is taken", endpoint)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error holds a password: %v", err)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no bucket is taken")
	}
}

func TestRegionIsAdopted(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"AuthorizationHeaderMalformed": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>")
		},
		"301 with a header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(301)
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			serve := func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/s3/") {
					answer(w, r)
				} else if string(body) != "content" {
					t.Errorf("body is %q", body)
				}
			}
			c := newStub(t, serve)
			if err := put(t.Context(), c, "k", "content"); err != nil {
				t.Fatal(err)
			}
			if c.Region() != "eu-west-1" {
				t.Errorf("region is %s", c.Region())
			}
			c = newStub(t, serve, func(o *Options) { o.Region = "us-west-2" })
			e := wantErr(t, put(t.Context(), c, "k", "content"), s3client.ErrRedirect)
			if e.Region != "eu-west-1" || !strings.Contains(e.Error(), "region eu-west-1") {
				t.Errorf("error is %v", e)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	full := s3client.Capabilities{ConditionalPut: true, RenameObject: true, RenamePrefix: true, ListMetadata: true, CompleteMetadata: true, DeleteDirectory: true}
	refusal := func(status int, code string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == "PUT" {
				errorXML(w, status, code, "")
			}
			return r.Method == "PUT"
		}
	}
	tests := []struct {
		name    string
		service *conditionalService
		answer  func(w http.ResponseWriter, r *http.Request) bool // before the service does
		want    s3client.Capabilities
		err     error
	}{
		{"pail", &conditionalService{}, func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Pail-Extensions", "rename-object, rename-prefix, list-metadata, conditional-put, complete-metadata, delete-directory")
			return false
		}, full, nil},
		{"conditions", &conditionalService{}, nil, s3client.Capabilities{ConditionalPut: true}, nil},
		{"ignored", &conditionalService{ignorePut: true, ignoreComplete: true, ignoreCopy: true}, nil, s3client.Capabilities{}, nil},
		{"Ceph RGW 16", &conditionalService{noQuotes: true, ignoreComplete: true, ignoreCopy: true}, nil, s3client.Capabilities{ExclusivePut: true}, nil},
		{"ignored by multipart uploads", &conditionalService{ignoreComplete: true}, nil, s3client.Capabilities{ExclusivePut: true}, nil},
		{"MinIO", &conditionalService{}, func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Server", "MinIO")
			return false
		}, s3client.Capabilities{ConditionalPut: true, ListMetadata: true}, nil},
		{"MinIO behind a proxy", &conditionalService{}, listsOne("<UserMetadata><content-type>text/plain</content-type></UserMetadata>"), s3client.Capabilities{ConditionalPut: true, ListMetadata: true}, nil},
		{"listings without metadata", &conditionalService{}, listsOne(""), s3client.Capabilities{ConditionalPut: true}, nil},
		{"not implemented", &conditionalService{}, refusal(501, "NotImplemented"), s3client.Capabilities{}, nil},
		{"may not write", &conditionalService{}, refusal(403, "AccessDenied"), s3client.Capabilities{}, nil},
		{"no bucket", &conditionalService{}, func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(404); return true }, s3client.Capabilities{}, s3client.ErrNoBucket},
		{"refused", &conditionalService{}, func(w http.ResponseWriter, r *http.Request) bool {
			errorXML(w, 403, "SignatureDoesNotMatch", "")
			return true
		}, s3client.Capabilities{}, s3client.ErrCredentials},
		{"limited to a prefix", &conditionalService{}, func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.Method == "HEAD" && r.URL.Path == "/bucket":
				w.WriteHeader(403)
			case r.Method == "GET" && r.URL.Query().Get("prefix") == "p/":
				_, _ = io.WriteString(w, "<ListBucketResult></ListBucketResult>")
			case !strings.HasPrefix(r.URL.Path, "/bucket/p/.pail-probe-"):
				errorXML(w, 403, "AccessDenied", "")
			default:
				return false
			}
			return true
		}, s3client.Capabilities{ConditionalPut: true}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.service.objects = map[string]string{}
			c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
				if test.answer == nil || !test.answer(w, r) {
					test.service.ServeHTTP(w, r)
				}
			}, func(o *Options) { o.ProbePrefix = "p/" })
			got, err := c.Probe(t.Context())
			if test.err != nil {
				wantErr(t, err, test.err)
			} else if err != nil || got != test.want {
				t.Errorf("capabilities are %+v, want %+v; error %v", got, test.want, err)
			}
			if c.ignoresCopySource.Load() != test.service.ignoreCopy {
				t.Error("it is not known whether copies heed the condition on their source")
			}
			if len(test.service.objects) != 0 || test.service.uploads != 0 {
				t.Errorf("left behind: objects %v, %d uploads", test.service.objects, test.service.uploads)
			}
		})
	}
}

// listsOne serves listings of one object, to those who ask for its metadata.
func listsOne(metadata string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		asked := r.Method == "GET" && r.URL.Query().Get("metadata") == "true" && r.URL.Query().Get("prefix") == "p/"
		if asked {
			_, _ = io.WriteString(w, "<ListBucketResult><Contents><Key>p/k</Key>"+metadata+"</Contents></ListBucketResult>")
		}
		return asked
	}
}

func TestProbeOfAReadOnlyMountWritesNothing(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "HEAD" && r.Method != "GET" {
			t.Errorf("%s was sent", r.Method)
		}
	}, func(o *Options) { o.ReadOnly = true })
	if _, err := c.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
}
