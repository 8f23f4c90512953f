package awss3

import (
	"io"
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"

	"pail/s3client"
)

const uploads1 = `<?xml version="1.0"?><ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket>
<NextKeyMarker>a%2Bb</NextKeyMarker><NextUploadIdMarker>id/1+&amp;</NextUploadIdMarker><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<Upload><Key>a%2Bb</Key><UploadId>id/1+&amp;</UploadId><Initiator><ID>x</ID></Initiator><StorageClass>STANDARD</StorageClass>
<Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload></ListMultipartUploadsResult>`

func TestListUploads(t *testing.T) {
	var got url.Values
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) { got = r.URL.Query(); _, _ = io.WriteString(w, uploads1) })
	page, err := c.ListUploads(t.Context(), s3client.UploadsQuery{Prefix: "p +/", AfterKey: "k&", AfterID: "i+/", Max: 9999})
	if err != nil {
		t.Fatal(err)
	}
	want := s3client.UploadsPage{
		Uploads: []s3client.PendingUpload{{Key: "a+b", ID: "id/1+&", Begun: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), StorageClass: "STANDARD"}},
		NextKey: "a+b", NextID: "id/1+&",
	}
	if !reflect.DeepEqual(page, want) {
		t.Errorf("page is %+v", page)
	}
	query := url.Values{"uploads": {""}, "encoding-type": {"url"}, "prefix": {"p +/"}, "key-marker": {"k&"}, "upload-id-marker": {"i+/"}, "max-uploads": {"1000"}}
	if !reflect.DeepEqual(got, query) {
		t.Errorf("query is %v", got)
	}
	if _, err := c.ListUploads(t.Context(), s3client.UploadsQuery{AfterKey: "a+b", AfterID: "id/1+&"}); err == nil {
		t.Error("a list that does not go on is followed")
	}
}

// TestListUploadsEncodedWithoutSaying lists on a service that encodes the keys when asked to, and does not say so.
func TestListUploadsEncodedWithoutSaying(t *testing.T) {
	c := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		key := "a b%41"
		if r.URL.Query().Get("encoding-type") == "url" {
			key = "a%20b%2541"
		}
		_, _ = io.WriteString(w, "<ListMultipartUploadsResult><Upload><Key>"+key+"</Key><UploadId>1</UploadId></Upload></ListMultipartUploadsResult>")
	})
	page, err := c.ListUploads(t.Context(), s3client.UploadsQuery{})
	if err != nil || len(page.Uploads) != 1 || page.Uploads[0].Key != "a b%41" {
		t.Errorf("page is %+v, %v", page, err)
	}
}

func TestParseUploadsRefuses(t *testing.T) {
	for _, body := range []string{
		"", "<ListBucketResult/>", "<ListMultipartUploadsResult>", "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>",
		"<ListMultipartUploadsResult><Upload><Key>k</Key></Upload></ListMultipartUploadsResult>",
		"<ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload><Key>%zz</Key></Upload></ListMultipartUploadsResult>",
	} {
		if page, err := parseUploads([]byte(body)); err == nil {
			t.Errorf("%q gives %+v", body, page)
		}
	}
}

func FuzzParseUploads(f *testing.F) {
	f.Add([]byte(uploads1))
	f.Add([]byte("<ListMultipartUploadsResult><Upload/></ListMultipartUploadsResult>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := parseUploads(body)
		for _, u := range page.Uploads {
			if err == nil && (u.Key == "" || u.ID == "") {
				t.Errorf("an upload without name: %+v", u)
			}
		}
	})
}
