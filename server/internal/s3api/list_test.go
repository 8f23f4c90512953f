package s3api_test

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/server/servertest"
)

// page is a listing of either version.
type page struct {
	Name, Prefix, Marker, NextMarker, Delimiter, EncodingType, StartAfter string
	ContinuationToken, NextContinuationToken                              string
	KeyCount                                                              *int
	MaxKeys                                                               int
	IsTruncated                                                           bool
	Contents                                                              []struct {
		Key, ETag, LastModified, StorageClass string
		Size                                  int
		Owner                                 *struct{ ID string }
		UserMetadata                          *struct {
			Any []struct {
				XMLName xml.Name
				Value   string `xml:",chardata"`
			} `xml:",any"`
		}
	}
	CommonPrefixes []struct {
		Prefix string
		Marker *struct {
			ETag         string
			UserMetadata *struct {
				Any []struct {
					Value string `xml:",chardata"`
				} `xml:",any"`
			}
		}
	}
}

// names is keys, then prefixes in parentheses.
func (p page) names() string {
	var all []string
	for _, c := range p.Contents {
		all = append(all, c.Key)
	}
	for _, c := range p.CommonPrefixes {
		all = append(all, "("+c.Prefix+")")
	}
	return strings.Join(all, " ")
}

func (s *scene) list(query string) (page, answer) {
	s.Helper()
	a := s.do("GET", "/bucket?"+query, "")
	var p page
	if a.status == 200 {
		if err := xml.Unmarshal([]byte(a.body), &p); err != nil {
			s.Fatalf("%s: %v\n%s", query, err, a.body)
		}
	}
	return p, a
}

func TestListings(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, k := range []string{"a", "b/1", "b/2", "b/sub/3", "c", "c/x", "d+e f"} {
		s.put(k, k)
	}
	all := "a b/1 b/2 b/sub/3 c c/x d+e f"
	for _, c := range []struct{ query, names, next string }{
		{"", all, ""},
		{"max-keys=", all, ""},
		{"max-keys=5000", all, ""},
		{"max-keys=0", "", ""},
		{"max-keys=2", "a b/1", "b/1"},
		{"marker=b/1", "b/2 b/sub/3 c c/x d+e f", ""},
		{"marker=zzz", "", ""},
		{"prefix=b/", "b/1 b/2 b/sub/3", ""},
		{"prefix=b/&marker=b/2", "b/sub/3", ""},
		{"prefix=none", "", ""},
		{"delimiter=/", "a c d+e f (b/) (c/)", ""},
		{"delimiter=/&prefix=b/", "b/1 b/2 (b/sub/)", ""},
		{"delimiter=/&marker=b/", "c d+e f (c/)", ""},
		{"delimiter=/&marker=b/1", "c d+e f (b/) (c/)", ""},
		{"delimiter=/&max-keys=2", "a (b/)", "b/"},
		{"delimiter=sub", "a b/1 b/2 c c/x d+e f (b/sub)", ""},
		{"encoding-type=url&prefix=d", "d%2Be%20f", ""},
	} {
		p, a := s.list(c.query)
		s.want("V1 "+c.query, a, 200, "")
		if p.names() != c.names {
			t.Errorf("V1 ?%s: %s, want %s", c.query, p.names(), c.names)
		}
		if p.IsTruncated != (c.next != "") || p.KeyCount != nil {
			t.Errorf("V1 ?%s: truncated %v", c.query, p.IsTruncated)
		}
		if len(p.Contents) > 0 && (p.Contents[0].Owner == nil || p.Contents[0].StorageClass != "STANDARD" || !strings.HasPrefix(p.Contents[0].ETag, `"`)) {
			t.Errorf("V1 ?%s: %+v", c.query, p.Contents[0])
		}
		query := "list-type=2&" + strings.ReplaceAll(c.query, "marker=", "start-after=")
		p, a = s.list(query)
		s.want("V2 "+query, a, 200, "")
		if p.names() != c.names || p.KeyCount == nil || *p.KeyCount != len(p.Contents)+len(p.CommonPrefixes) {
			t.Errorf("V2 ?%s: %s, want %s", query, p.names(), c.names)
		}
		if (p.NextContinuationToken != "") != (c.next != "") || len(p.Contents) > 0 && p.Contents[0].Owner != nil {
			t.Errorf("V2 ?%s: token %q", query, p.NextContinuationToken)
		}
	}
}

func TestListingPages(t *testing.T) {
	s := newScene(t, servertest.Options{})
	var want []string
	for i := range 23 {
		k := fmt.Sprintf("d%d/k%02d", i%5, i)
		s.put(k, "")
		want = append(want, k)
	}
	for _, delimiter := range []string{"", "/"} {
		for size := 1; size <= 24; size += 4 {
			seen := map[string]int{}
			in := &s3.ListObjectsV2Input{Bucket: aws.String(bucket), MaxKeys: aws.Int32(int32(size)), FetchOwner: aws.Bool(true)}
			if delimiter != "" {
				in.Delimiter = aws.String(delimiter)
			}
			for p := s3.NewListObjectsV2Paginator(s.s3, in); p.HasMorePages(); {
				out, err := p.NextPage(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if len(out.Contents)+len(out.CommonPrefixes) > size {
					t.Fatalf("a page of more than %d", size)
				}
				for _, o := range out.Contents {
					seen[aws.ToString(o.Key)]++
					if o.Owner == nil {
						t.Error("fetch-owner shows none")
					}
				}
				for _, c := range out.CommonPrefixes {
					seen[aws.ToString(c.Prefix)]++
				}
			}
			expect := len(want)
			if delimiter != "" {
				expect = 5
			}
			if len(seen) != expect {
				t.Errorf("delimiter %q, pages of %d: %d names, want %d", delimiter, size, len(seen), expect)
			}
			for k, n := range seen {
				if n != 1 {
					t.Errorf("delimiter %q, pages of %d: %s %d times", delimiter, size, k, n)
				}
			}
		}
	}
	// V1 with markers, as clients without NextMarker go on.
	marker, n := "", 0
	for {
		p, _ := s.list("max-keys=4&marker=" + url.QueryEscape(marker))
		n += len(p.Contents)
		if !p.IsTruncated {
			break
		}
		marker = p.Contents[len(p.Contents)-1].Key
	}
	if n != len(want) {
		t.Errorf("V1 pages list %d", n)
	}
	p, _ := s.list("delimiter=/&max-keys=2")
	if p.NextMarker != "d1/" {
		t.Errorf("NextMarker %q", p.NextMarker)
	}
}

// TestEmptyContinuationToken: an empty parameter is as good as none, and what was sent comes back.
func TestEmptyContinuationToken(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.put("a", "x")
	s.put("b", "x")
	p, a := s.list("list-type=2&continuation-token=&start-after=a")
	if a.status != 200 || len(p.Contents) != 1 || p.Contents[0].Key != "b" || !strings.Contains(a.body, "<ContinuationToken></ContinuationToken>") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestListingErrors(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, q := range []string{"max-keys=-1", "max-keys=a", "max-keys=99999999999", "encoding-type=base64", "list-type=3",
		"list-type=2&continuation-token=x", "list-type=2&max-keys=1.5", "uploads&max-uploads=x"} {
		_, a := s.list(q)
		s.want(q, a, 400, "InvalidArgument")
		if a.element("ArgumentName") == "" {
			t.Errorf("?%s: no ArgumentName in %s", q, a.body)
		}
	}
	s.want("no bucket", s.do("GET", "/nobucket", ""), 404, "NoSuchBucket")
	s.want("no bucket", s.do("GET", "/nobucket?list-type=2", ""), 404, "NoSuchBucket")
}

func TestListingWithMetadata(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.do("PUT", path("a"), "x", "X-Amz-Meta-Mode: 33188", "X-Amz-Meta-Xattr: {\"a\":\"b\"}", "Content-Type: text/plain", "Cache-Control: c")
	s.do("PUT", path("b"), "x")
	s.do("PUT", path("c"), "x", "X-Amz-Meta-Odd!: 1") // no XML name
	p, _ := s.list("list-type=2&metadata=true")
	if len(p.Contents) != 3 {
		t.Fatalf("%d objects", len(p.Contents))
	}
	got := map[string]string{}
	for _, e := range p.Contents[0].UserMetadata.Any {
		got[e.XMLName.Local] = e.Value
	}
	for name, want := range map[string]string{"X-Amz-Meta-Mode": "33188", "X-Amz-Meta-Xattr": `{"a":"b"}`, "content-type": "text/plain", "cache-control": "c"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if p.Contents[1].UserMetadata == nil {
		t.Error("an object without metadata does not say so")
	}
	if p.Contents[2].UserMetadata != nil {
		t.Error("metadata that XML cannot name is shown in part")
	}
	if p, _ := s.list("list-type=2"); p.Contents[0].UserMetadata != nil {
		t.Error("metadata is shown unasked")
	}
}

// A common prefix comes with what is stored under it itself, also where the page begins behind that key, and with an empty
// element where nothing is.
func TestListingWithMarkers(t *testing.T) {
	s := newScene(t, servertest.Options{})
	s.do("PUT", path("a/"), "", "X-Amz-Meta-Mode: 16877")
	s.do("PUT", path("a/x"), "x")
	s.do("PUT", path("b/x"), "x")
	for query, want := range map[string]string{
		"list-type=2&delimiter=%2F&metadata=true":                       "a/=16877 b/=none ",
		"list-type=2&delimiter=%2F&metadata=true&start-after=a%2Fbelow": "a/=16877 b/=none ",
		"list-type=2&delimiter=%2F&metadata=true&prefix=b":              "b/=none ",
		"list-type=2&delimiter=%2F":                                     "a/=untold b/=untold ",
		"delimiter=%2F":                                                 "a/=untold b/=untold ",
	} {
		p, _ := s.list(query)
		var got string
		for _, c := range p.CommonPrefixes {
			got += c.Prefix + "="
			switch m := c.Marker; {
			case m == nil:
				got += "untold "
			case m.ETag == "":
				got += "none "
			default:
				got += m.UserMetadata.Any[len(m.UserMetadata.Any)-1].Value + " "
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}
