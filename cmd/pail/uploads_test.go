package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pail/s3client"
	"pail/s3client/awss3"
	"pail/s3client/faultclient"
	"pail/s3client/memclient"
	"pail/server/servertest"
)

func begin(t *testing.T, c s3client.Client, key string) s3client.Upload {
	t.Helper()
	u, err := c.NewUpload(t.Context(), key, s3client.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAbortTakesOldUploadsOnly(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	mem := memclient.New(memclient.Options{Now: func() time.Time { return now }})
	faults := faultclient.New(mem)
	begin(t, mem, "a/old")
	begin(t, mem, "a/stuck")
	begin(t, mem, "b/old")
	now = now.Add(23 * time.Hour)
	young := begin(t, mem, "a/young")
	faults.Add(faultclient.Fault{Op: s3client.OpAbort, Key: "a/stuck", Do: faultclient.Fail(s3client.ErrAccess)})

	var out bytes.Buffer
	u := uploads{client: faults, report: uploadTable, abort: true, before: now.Add(-time.Hour)}
	shown, err := u.run(t.Context(), "a/", &out)
	if shown != 1 || err == nil || !strings.Contains(err.Error(), "a/stuck") {
		t.Errorf("%d shown, error %v", shown, err)
	}
	if !strings.Contains(out.String(), "2026-05-01T12:00:00Z  a/old") || strings.Contains(out.String(), "young") {
		t.Errorf("reported:\n%s", &out)
	}
	left := mem.Uploads()
	if len(left) != 3 || left[len(left)-1] != young.ID() {
		t.Errorf("left are %v", left)
	}
}

func TestUploadTableQuotesOddKeys(t *testing.T) {
	var out bytes.Buffer
	if err := uploadTable(&out, false, s3client.PendingUpload{Key: "a\x1b[31m b\n", ID: "i"}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"a\x1b[31m b\n"`) || !strings.HasPrefix(got, "unknown") {
		t.Errorf("line is %q", got)
	}
}

// The whole command against pail's own server.
func TestUnfinishedUploadsOnServer(t *testing.T) {
	srv := servertest.New(t, servertest.Options{})
	createBucket(t, srv, "bucket")
	client, err := awss3.New(awss3.Options{Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	first, second := begin(t, client, "p/first é"), begin(t, client, "q/second")
	options := "passwd_file=" + serverMount(t, srv, "rw").Passwd + ",use_path_request_style,url=" + srv.URL

	exit, out, errs := call(t, "s3fs", "-u", "bucket", "-o", options)
	if exit != 0 || !strings.Contains(out, first.ID()) || !strings.Contains(out, "q/second") || errs != "" {
		t.Errorf("-u: exit %d\n%s%s", exit, out, errs)
	}
	exit, out, errs = call(t, "pail", "mount", "--incomplete-mpu-list", "--json", "bucket:/p", "-o", options)
	var line struct {
		Key      string
		UploadID string `json:"upload_id"`
		Begun    time.Time
	}
	if err := json.Unmarshal([]byte(out), &line); exit != 0 || err != nil || line.Key != "p/first é" || line.UploadID != first.ID() || line.Begun.IsZero() {
		t.Errorf("--json: exit %d, error %v\n%s%s", exit, err, out, errs)
	}
	exit, out, errs = call(t, "pail", "mount", "--incomplete-mpu-abort", "bucket", "-o", options)
	if exit != 0 || out != "" || !strings.Contains(errs, "no such unfinished uploads") {
		t.Errorf("nothing is older than a day: exit %d\n%s%s", exit, out, errs)
	}
	exit, out, errs = call(t, "pail", "mount", "--incomplete-mpu-abort=all", "bucket", "-o", options)
	if exit != 0 || !strings.Contains(out, second.ID()) || errs != "" {
		t.Errorf("abort: exit %d\n%s%s", exit, out, errs)
	}
	if page, err := client.ListUploads(t.Context(), s3client.UploadsQuery{}); err != nil || len(page.Uploads) != 0 {
		t.Errorf("left are %+v, error %v", page, err)
	}
}

// createBucket makes a bucket with a request of signature version 2, which needs no library.
func createBucket(t *testing.T, srv *servertest.Server, name string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL+"/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	date := time.Now().UTC().Format(http.TimeFormat)
	mac := hmac.New(sha1.New, []byte(servertest.SecretKey))
	mac.Write([]byte("PUT\n\n\n" + date + "\n/" + name))
	req.Header.Set("Date", date)
	req.Header.Set("Authorization", "AWS "+servertest.AccessKey+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := srv.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("creating the bucket: %s", resp.Status)
	}
}
