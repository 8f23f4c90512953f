package main

import (
	"bytes"
	"strings"
	"testing"

	"pail/fs/links"
	"pail/s3client"
	"pail/s3client/awss3"
	"pail/server/servertest"
)

func TestFsckOfABucket(t *testing.T) {
	srv := servertest.New(t, servertest.Options{})
	createBucket(t, srv, "bucket")
	client, err := awss3.New(awss3.Options{Bucket: "bucket", Endpoint: srv.URL, Credentials: awss3.Static(servertest.AccessKey, servertest.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	options := "passwd_file=" + serverMount(t, srv, "rw").Passwd + ",use_path_request_style,url=" + srv.URL
	if exit, out, errs := call(t, "pail", "fsck", "bucket", "-o", options); exit != 0 || out != "" || errs != "" {
		t.Errorf("an empty bucket: exit %d\n%s%s", exit, out, errs)
	}
	ptr := links.Pointer{Key: "p/" + links.Inode(links.NewID(1)), Name: "name"}
	if _, err := client.Put(t.Context(), "p/broken", bytes.NewReader(ptr.Body()), s3client.PutOptions{Meta: ptr.Meta(nil)}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--repair", "bucket:/p"}, {"bucket:/p"}} {
		exit, out, errs := call(t, append(append([]string{"pail", "fsck"}, args...), "-o", options)...)
		if exit != 1 || out != "p/broken: a name that leads to no file: left\n" || errs != "" {
			t.Errorf("%q: exit %d\n%s%s", args, exit, out, errs)
		}
	}
	if exit, out, _ := call(t, "pail", "fsck", "--help"); exit != 0 || !strings.Contains(out, "--repair") {
		t.Errorf("--help: exit %d\n%s", exit, out)
	}
}
