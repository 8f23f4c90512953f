package awss3

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pail/s3client"
)

const listing1 = `<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment -->
<s3:ListBucketResult xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/" odd="a>b">
  <s3:Name>bucket</s3:Name><Prefix/><KeyCount>3</KeyCount>
  <Contents><Key>a%2Bb+c%00</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;abc&quot;</ETag><Size> 12 </Size>
    <Owner><ID>x</ID><DisplayName>y</DisplayName></Owner><StorageClass>GLACIER</StorageClass>
    <UserMetadata><X-Amz-Meta-Mode>33188</X-Amz-Meta-Mode><content-type>text/plain</content-type><X-Amz-Meta-E/></UserMetadata></Contents>
  <Contents><Key><![CDATA[plain]]></Key><LastModified>2026-01-02T03:04:05Z</LastModified><ETag>"d-2"</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>
  <CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes><CommonPrefixes><Prefix>e/</Prefix></CommonPrefixes>
  <IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;&#x6f;&#107;</NextContinuationToken><EncodingType>url</EncodingType>
</s3:ListBucketResult>
`

func TestParseList(t *testing.T) {
	page, err := parseList([]byte(listing1), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Objects) != 2 || !slices.Equal(page.Prefixes, []string{"d/", "e/"}) || page.NextToken != "t&ok" {
		t.Fatalf("page is %+v", page)
	}
	a, b := page.Objects[0], page.Objects[1]
	if a.Key != "a+b c\x00" || a.Size != 12 || a.ETag != "abc" || a.StorageClass != "GLACIER" || a.System.ContentType != "text/plain" ||
		!a.LastModified.Equal(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)) || !maps.Equal(a.Meta, s3client.Meta{"mode": "33188", "e": ""}) {
		t.Errorf("first is %+v", a)
	}
	if b.Key != "plain" || b.ETag != "d-2" || b.StorageClass != "STANDARD" || b.Meta != nil {
		t.Errorf("second is %+v", b)
	}
}

func TestParseListTakesMetadataWholeOrNotAtAll(t *testing.T) {
	for metadata, want := range map[string]s3client.Meta{
		"<UserMetadata><content-type>a/b</content-type></UserMetadata>":         {},
		"<UserMetadata><X-Amz-Meta-Mode>33188</X-Amz-Meta-Mode></UserMetadata>": {"mode": "33188"},
		"<UserMetadata></UserMetadata>":                                         nil,
		"<UserMetadata/>":                                                       nil,
		"":                                                                      nil,
		"<UserMetadata><content-type>a/b</content-type><X-Amz-Meta-A>\ufffd</X-Amz-Meta-A></UserMetadata>": nil,
		"<UserMetadata><X-Amz-Meta-A>&#xFFFD;</X-Amz-Meta-A></UserMetadata>":                               nil,
	} {
		page, err := parseList([]byte("<ListBucketResult><Contents><Key>k</Key>"+metadata+"</Contents></ListBucketResult>"), false)
		if err != nil {
			t.Fatal(err)
		}
		if got := page.Objects[0].Meta; (got == nil) != (want == nil) || !maps.Equal(got, want) {
			t.Errorf("%s: metadata is %#v, want %#v", metadata, got, want)
		}
	}
}

func TestParseListWithoutEncoding(t *testing.T) {
	page, err := parseList([]byte("<ListBucketResult><Contents><Key>a%2Bb+&lt;c</Key></Contents></ListBucketResult>"), false)
	if err != nil || page.Objects[0].Key != "a%2Bb+<c" {
		t.Errorf("page is %+v, error %v", page, err)
	}
}

func TestParseListV1GoesOnAtTheLastName(t *testing.T) {
	for body, want := range map[string]string{
		"<Contents><Key>b</Key></Contents><CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>": "c/",
		"<Contents><Key>d</Key></Contents><CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>": "d",
		"<NextMarker>m%2F</NextMarker><EncodingType>url</EncodingType>":                         "m/",
	} {
		page, err := parseList([]byte("<ListBucketResult><IsTruncated>true</IsTruncated>"+body+"</ListBucketResult>"), true)
		if err != nil || page.NextToken != want {
			t.Errorf("%s: token is %q, want %q; error %v", body, page.NextToken, want, err)
		}
	}
}

func TestParseListRefuses(t *testing.T) {
	for _, body := range []string{
		"", "<html></html>", "<ListBucketResult>", "<ListBucketResult><Contents><Key>a", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
		"<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>", "<ListBucketResult><Contents><Key>&bogus;</Key></Contents></ListBucketResult>",
		"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></ListBucketResult>",
		strings.Repeat("<ListBucketResult>", 100),
	} {
		if page, err := parseList([]byte(body), false); err == nil {
			t.Errorf("%q gives %+v", body, page)
		}
	}
}

func TestListSendsItsQuery(t *testing.T) {
	var got url.Values
	answer := "<ListBucketResult></ListBucketResult>"
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { got = r.URL.Query(); _, _ = io.WriteString(w, answer) })
	_, err := c.List(t.Context(), s3client.ListQuery{Prefix: "a b+/é&", Delimiter: "/", StartAfter: "x\x01", MaxKeys: 5000, WithMeta: true})
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"prefix": {"a b+/é&"}, "delimiter": {"/"}, "start-after": {"x\x01"}, "max-keys": {"3000"}, "metadata": {"true"}, "list-type": {"2"}, "encoding-type": {"url"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("query is %v, want %v", got, want)
	}
	answer = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
	_, err = c.List(t.Context(), s3client.ListQuery{Token: "t", StartAfter: "x"})
	wantErr(t, err, s3client.ErrUnavailable)
	if got.Get("continuation-token") != "t" || got.Has("start-after") {
		t.Errorf("query is %v", got)
	}
}

// xmlPage is the listing as encoding/xml understands it.
type xmlPage struct {
	XMLName  xml.Name `xml:"ListBucketResult"`
	Contents []struct {
		Key  string
		ETag string
	}
	CommonPrefixes []struct{ Prefix []string }
}

// FuzzParseList proves that the scanner never fails badly, and where encoding/xml reads a page of the form that S3
// writes, it reads the same.
func FuzzParseList(f *testing.F) {
	f.Add([]byte(listing1))
	f.Add([]byte("<ListBucketResult><Contents><Key>a&#10;\r\nb</Key><ETag>'x'</ETag></Contents></ListBucketResult>"))
	f.Add([]byte("<ListBucketResult><CommonPrefixes><Prefix/></CommonPrefixes></ListBucketResult>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := parseList(body, true)
		if err != nil || !regular(body) {
			return
		}
		var want xmlPage
		if xml.Unmarshal(body, &want) != nil {
			return
		}
		var keys, prefixes []string
		for _, o := range want.Contents {
			keys = append(keys, o.Key)
		}
		for _, p := range want.CommonPrefixes {
			prefixes = append(prefixes, p.Prefix...)
		}
		var got []string
		for _, o := range page.Objects {
			got = append(got, o.Key)
		}
		if !slices.Equal(got, keys) || !slices.Equal(page.Prefixes, prefixes) {
			t.Errorf("%q: keys %q and prefixes %q, encoding/xml says %q and %q", body, got, page.Prefixes, keys, prefixes)
		}
	})
}

// regular tells documents on which the two may be compared: in UTF-8, not URL-encoded, without declarations that
// encoding/xml interprets, and with elements of text only.
func regular(body []byte) bool {
	if !utf8.Valid(body) || bytes.Contains(body, []byte("EncodingType")) {
		return false
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	var path []string
	keys := 0
	for {
		tok, err := d.Token()
		if err != nil {
			return err == io.EOF
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if len(path) > 0 && (path[len(path)-1] == "Key" || path[len(path)-1] == "Prefix") {
				return false
			}
			if tok.Name.Local == "Contents" {
				keys = 0
			}
			if tok.Name.Local == "Key" {
				keys++
			}
			if keys > 1 || strings.Contains(tok.Name.Local, ":") || len(path) == 0 && tok.Name.Local != "ListBucketResult" {
				return false
			}
			path = append(path, tok.Name.Local)
		case xml.EndElement:
			if path = path[:len(path)-1]; len(path) == 0 {
				return true
			}
		case xml.Directive, xml.ProcInst:
			return false
		}
	}
}

func TestParseListTakesAllMarkersOrNone(t *testing.T) {
	const (
		dir  = "<CommonPrefixes><Prefix>a/</Prefix><Marker><ETag>&quot;e&quot;</ETag><Size>0</Size><UserMetadata><X-Amz-Meta-Mode>16877</X-Amz-Meta-Mode></UserMetadata></Marker></CommonPrefixes>"
		bare = "<CommonPrefixes><Prefix>b/</Prefix><Marker/></CommonPrefixes>"
		none = "<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>"
	)
	for body, want := range map[string]string{
		dir + bare: "[a/=16877 =]", bare: "[=]", none: "[]", dir + none: "[]", none + bare: "[]", bare + none + bare: "[]",
		"<CommonPrefixes><Prefix>c/</Prefix><Prefix>d/</Prefix><Marker/></CommonPrefixes>": "[]",
	} {
		page, err := parseList([]byte("<ListBucketResult>"+body+"</ListBucketResult>"), false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range page.Markers {
			got = append(got, m.Key+"="+m.Meta["mode"])
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", body, got, want)
		}
	}
}
