package integration

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"

	"pail/integration/harness"
)

// streamed is a large file that is being written through a mount.
type streamed struct {
	t      *testing.T
	server *harness.Server
	mount  *harness.Mount
	file   *os.File
	data   []byte
}

// newStreamed mounts a bucket with small parts and makes the file; options are further words of -o.
func newStreamed(t *testing.T, options ...string) *streamed {
	s := harness.Serve(t, harness.ServerOptions{HTTP: true})
	s.Bucket(t, "bucket")
	m := s.Mount(t, "bucket", harness.MountOptions{Options: append([]string{"multipart_size=5", "multipart_threshold=5"}, options...)})
	f, err := os.Create(m.Path("f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // where the test has not
	w := &streamed{t: t, server: s, mount: m, file: f, data: make([]byte, 60<<20)}
	_, _ = rand.NewChaCha8([32]byte{1}).Read(w.data) // never fails
	return w
}

// write writes data[from:to] at its place.
func (w *streamed) write(from, to int) {
	w.t.Helper()
	if _, err := w.file.WriteAt(w.data[from:to], int64(from)); err != nil {
		w.t.Fatal(err)
	}
}

// uploads returns the ids of the unfinished uploads, and how many parts they have.
func (w *streamed) uploads() (ids []string, parts int) {
	w.t.Helper()
	client, bucket := w.server.Client(w.t), aws.String("bucket")
	list, err := client.ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, up := range list.Uploads {
		ids = append(ids, *up.UploadId)
		out, err := client.ListParts(context.Background(), &s3.ListPartsInput{Bucket: bucket, Key: up.Key, UploadId: up.UploadId})
		if err != nil {
			w.t.Fatal(err)
		}
		parts += len(out.Parts)
	}
	return ids, parts
}

// arrived waits until the server has so many parts.
func (w *streamed) arrived(want int) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, parts := w.uploads(); parts == want {
			return
		}
	}
	_, parts := w.uploads()
	w.t.Fatalf("%d parts have arrived, want %d", parts, want)
}

// stored closes the file, and looks for it and for uploads on the server.
func (w *streamed) stored() {
	w.t.Helper()
	if err := w.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		w.t.Fatal(err)
	}
	out, err := w.server.Client(w.t).GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("f")})
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := io.ReadAll(out.Body)
	if err != nil || !bytes.Equal(got, w.data) {
		w.t.Errorf("the object has %d bytes, and not the %d that were written: %v", len(got), len(w.data), err)
	}
	if ids, _ := w.uploads(); len(ids) > 0 {
		w.t.Errorf("unfinished are %q", ids)
	}
}

// TestFileIsChangedWhileItIsSent: all ways to change a file have their effect on what was sent before.
func TestFileIsChangedWhileItIsSent(t *testing.T) {
	w := newStreamed(t)
	w.write(0, 40<<20)
	w.arrived(8)
	fd := int(w.file.Fd())
	mapped, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	copy(mapped, "mapped")
	copy(w.data, "mapped")
	if err := unix.Munmap(mapped); err != nil {
		t.Fatal(err)
	}
	from, to := int64(30<<20+7), int64(12<<20)
	n, err := unix.CopyFileRange(fd, &from, fd, &to, 1000, 0)
	if err != nil || n != 1000 {
		t.Fatalf("copy_file_range gives %d, %v", n, err)
	}
	copy(w.data[12<<20:], w.data[30<<20+7:][:1000])
	if err := unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 17<<20, 4096); err != nil {
		t.Fatal(err)
	}
	clear(w.data[17<<20:][:4096])
	appending, err := os.OpenFile(w.mount.Path("f"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appending.Write(w.data[40<<20 : 41<<20]); err != nil {
		t.Fatal(err)
	}
	w.write(41<<20, len(w.data))
	w.stored()
	if err := appending.Close(); err != nil {
		t.Error(err)
	}
}

// TestServerDiesWhileAFileIsSent: the writer does not notice that the server is gone for a moment. It is a program of its
// own, as starting the server would close a copy of the file in this one, and wait.
func TestServerDiesWhileAFileIsSent(t *testing.T) {
	w := newStreamed(t)
	cat := exec.Command("cat")
	cat.Stdout = w.file
	in, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	write := func(p []byte) {
		if _, err := in.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	write(w.data[:22<<20])
	if err := w.file.Close(); err != nil { // stores what is there
		t.Fatal(err)
	}
	write(w.data[22<<20 : 42<<20])
	w.arrived(3)
	w.server.Kill()
	write(w.data[42<<20 : 50<<20])
	w.server.Restart(t)
	write(w.data[50<<20:])
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cat.Wait(); err != nil {
		t.Fatal(err)
	}
	w.stored()
}

// TestMountDiesWhileAFileIsSent: the object stays as it was, and pail -u shows and removes what was sent.
func TestMountDiesWhileAFileIsSent(t *testing.T) {
	w := newStreamed(t)
	w.write(0, 22<<20)
	w.arrived(4)
	w.mount.KillProcess()
	harness.Detach(w.mount.Dir)
	out, err := w.server.Client(t).HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("f")})
	if err == nil && aws.ToInt64(out.ContentLength) > 0 {
		t.Errorf("the object has %d bytes", aws.ToInt64(out.ContentLength))
	}
	ids, _ := w.uploads()
	if len(ids) != 1 {
		t.Fatalf("unfinished are %q", ids)
	}
	bin, words := harness.Binary(t), strings.Join(w.server.MountWords(), ",")
	if list := (harness.Command{}).Run(t, bin, "-u", "bucket", "-o", words); !strings.Contains(list, ids[0]) {
		t.Errorf("pail -u says\n%s", list)
	}
	harness.Command{}.Run(t, bin, "--incomplete-mpu-abort=all", "bucket", "-o", words)
	if ids, _ := w.uploads(); len(ids) > 0 {
		t.Errorf("unfinished are %q", ids)
	}
}
