package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/integration/load"
)

// TestKillMountUnderLoad kills the mount at once while programs write, replace, rename and remove files with -o writeback,
// and the server answers, hangs or is gone. The next mount must have every file that was closed, with its bytes, and
// bring all of them to the server in the end.
func TestKillMountUnderLoad(t *testing.T) {
	srv := harness.Serve(t, harness.ServerOptions{HTTP: true})
	srv.Bucket(t, "bucket")
	opt := harness.MountOptions{Options: []string{"writeback", "retries=1", "journal_dir=" + filepath.Join(t.TempDir(), "journal")}}
	files := &written{acked: map[string]load.Content{}, sent: map[string][]load.Content{}}
	for round := range 3 {
		m := srv.Mount(t, "bucket", opt)
		dirs := make([]string, 4)
		for w := range dirs {
			dirs[w] = fmt.Sprintf("w%d-%d", w, round)
			if err := os.Mkdir(m.Path(dirs[w]), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		back := files.disturb(t, srv, round)
		var workers sync.WaitGroup
		for w, dir := range dirs {
			workers.Go(func() { files.write(m, dir, w) })
		}
		files.wait(40)
		if round == 0 {
			awaitObjects(t, srv, 10)
		}
		m.KillProcess()
		workers.Wait()
		harness.Detach(m.Dir)
		back()
		m = srv.Mount(t, "bucket", opt)
		files.check(t, "after the crash", func(path string) ([]byte, error) { return os.ReadFile(m.Path(path)) })
		m.Unmount(t)
		client, bucket := srv.Client(t), "bucket"
		files.check(t, "on the server", func(path string) ([]byte, error) {
			out, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &path})
			if err != nil {
				return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
			}
			defer out.Body.Close()
			return io.ReadAll(out.Body)
		})
	}
	t.Logf("%d files were acknowledged", len(files.acked))
}

// written is what programs have written, and what of it was acknowledged.
type written struct {
	mu    sync.Mutex
	seed  int
	fresh int // acknowledgements since wait
	acked map[string]load.Content
	sent  map[string][]load.Content // since the last acknowledgement; load.Gone is none
}

// disturb does to the server what a round is about; back undoes it.
func (f *written) disturb(t *testing.T, srv *harness.Server, round int) (back func()) {
	switch round % 3 {
	case 1:
		srv.Pause()
		return srv.Resume
	case 2:
		srv.Kill()
		return func() { srv.Restart(t) }
	}
	return func() {}
}

// write goes on until the mount is gone. It has a directory of its own, of which the server may not know yet.
func (f *written) write(m *harness.Mount, dir string, worker int) {
	if dir += "/sub"; os.Mkdir(m.Path(dir), 0o755) != nil {
		return
	}
	for i := 0; ; i++ {
		path := fmt.Sprintf("%s/%d", dir, i%25)
		c := f.next(path, []int{10, 5000, 70_000, 400_000}[(i+worker)%4])
		err := os.WriteFile(m.Path(path+".tmp"), c.Bytes(), 0o644)
		if err == nil {
			err = os.Rename(m.Path(path+".tmp"), m.Path(path))
		}
		if err != nil {
			return
		}
		f.ack(path, c)
		if i%7 == 6 {
			f.sending(path, load.Gone)
			if os.Remove(m.Path(path)) != nil {
				return
			}
			f.ack(path, load.Gone)
		}
	}
}

func (f *written) next(path string, size int) load.Content {
	f.mu.Lock()
	f.seed++
	c := load.Content{Seed: f.seed % 200, Size: size}
	f.mu.Unlock()
	f.sending(path, c)
	return c
}

func (f *written) sending(path string, c load.Content) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent[path] = append(f.sent[path], c)
}

func (f *written) ack(path string, c load.Content) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acked[path], f.sent[path] = c, nil
	f.fresh++
}

// wait returns when n more changes are acknowledged, or after some time where the server is away.
func (f *written) wait(n int) {
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		enough := f.fresh >= n
		f.mu.Unlock()
		if enough {
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fresh = 0
}

// awaitObjects returns when a mount that goes on writing has sent so many objects, and so is sending others.
func awaitObjects(t *testing.T, srv *harness.Server, n int) {
	t.Helper()
	client, bucket := srv.Client(t), "bucket"
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Contents) >= n {
			return
		}
	}
	t.Fatalf("the mount has not sent %d objects", n)
}

// check compares all files with what read finds, and takes that for what was acknowledged.
func (f *written) check(t *testing.T, where string, read func(path string) ([]byte, error)) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for path, last := range f.acked {
		got, err := read(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: %v", where, err)
		}
		found := false
		for _, c := range append([]load.Content{last}, f.sent[path]...) {
			if c == load.Gone && err != nil || c != load.Gone && err == nil && bytes.Equal(got, c.Bytes()) {
				f.acked[path], found = c, true
				break
			}
		}
		if !found {
			t.Errorf("%s, %s: %d bytes, %v; acknowledged were %d", where, path, len(got), err, last.Size)
		}
		f.sent[path] = nil
	}
}

// TestUnmountWhileTheServerIsAway unmounts with files that cannot be sent: pail umount says so, and the next mount sends
// them.
func TestUnmountWhileTheServerIsAway(t *testing.T) {
	srv := harness.Serve(t, harness.ServerOptions{HTTP: true})
	srv.Bucket(t, "bucket")
	opt := harness.MountOptions{Options: []string{"writeback", "retries=1", "journal_dir=" + filepath.Join(t.TempDir(), "journal")}}
	m := srv.Mount(t, "bucket", opt)
	if err := os.Mkdir(m.Path("d"), 0o755); err != nil {
		t.Fatal(err)
	}
	srv.Kill()
	for i := range 20 {
		if err := os.WriteFile(m.Path("d", fmt.Sprint(i)), []byte("data"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, stderr, err := harness.Command{}.Try(harness.Binary(t), "umount", m.Dir)
	if err == nil || !strings.Contains(stderr, "20 files") || !strings.Contains(stderr, "next mount") {
		t.Errorf("umount says %v, %q", err, stderr)
	}
	srv.Restart(t)
	m = srv.Mount(t, "bucket", opt)
	if got, err := os.ReadFile(m.Path("d", "7")); string(got) != "data" || err != nil {
		t.Errorf("the next mount has %q, %v", got, err)
	}
	m.Unmount(t)
	client, bucket, key := srv.Client(t), "bucket", "d/7"
	if _, err := client.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		t.Error(err)
	}
}
