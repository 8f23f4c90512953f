package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/integration/load"
)

// TestFaultsBetweenMountAndServer breaks the connection of a mount in each way, in both modes of close, while programs
// write, replace and read files. Success is true, every call ends in time, nobody is left waiting in the kernel, and when
// it is over, all is as it should be, without a file too many.
func TestFaultsBetweenMountAndServer(t *testing.T) {
	srv := harness.Serve(t, harness.ServerOptions{HTTP: true})
	for mode, options := range map[string][]string{
		"through":   nil,
		"writeback": {"writeback", "journal_dir=" + filepath.Join(t.TempDir(), "journal")},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			srv.Bucket(t, mode)
			proxy := harness.NewProxy(t, srv)
			m := proxy.Server().Mount(t, mode, harness.MountOptions{
				Options: append(options, "retries=1", "connect_timeout=1", "readwrite_timeout=1", "stat_cache_expire=0"),
			})
			f := &faultTest{t: t, client: srv.Client(t), bucket: mode, proxy: proxy, m: m, wanted: map[string][]byte{}}
			for _, fault := range []harness.Fault{
				harness.Refuse, harness.InternalError, harness.SlowDown, harness.Hang,
				harness.ResetInBody, harness.LoseAnswer, harness.TruncateAnswer, harness.Slow,
			} {
				f.run(fault)
			}
			f.waitsForNothing()
			m.Unmount(t)
			f.checkServer()
		})
	}
}

type faultTest struct {
	t      *testing.T
	client *s3.Client
	bucket string
	proxy  *harness.Proxy
	m      *harness.Mount
	seed   uint64
	wanted map[string][]byte // what the server has to have in the end
}

// callTime is how long a call may take: a few attempts of a second each, for each of a few requests, on a busy machine.
const callTime = 40 * time.Second

func (f *faultTest) run(fault harness.Fault) {
	t, dir := f.t, strings.ReplaceAll(string(fault), " ", "-")
	f.put(dir+"/old", 3000)
	f.put(dir+"/cold", 3<<20)
	f.put(dir+"-interrupted/cold", 3<<20)
	f.eventually("", dir, func() error { _, err := os.ReadDir(f.m.Path(dir)); return err }) // a slow answer may be too late
	f.proxy.Set(fault)
	var calls sync.WaitGroup
	writes := map[string][]byte{dir + "/new": f.data(2000), dir + "/old": f.data(4000), dir + "/large": f.data(9 << 20)}
	for path, data := range writes {
		calls.Go(func() { f.write(fault, path, data) })
	}
	calls.Go(func() { f.read(fault, dir+"/cold") })
	if fault == harness.Hang {
		calls.Go(func() { f.interrupt(dir + "-interrupted/cold") })
	}
	calls.Wait()
	if hits := f.proxy.Set(""); hits == 0 {
		t.Errorf("%s: no request was hit", fault)
	}
	for path, data := range writes {
		f.wanted[path] = data
		f.eventually(fault, path, func() error { return os.WriteFile(f.m.Path(path), data, 0o644) })
	}
	f.eventually(fault, dir+"/cold", func() error {
		got, err := os.ReadFile(f.m.Path(dir, "cold"))
		if err == nil && !bytes.Equal(got, f.wanted[dir+"/cold"]) {
			t.Fatalf("%s: %s/cold has wrong bytes", fault, dir)
		}
		return err
	})
}

func (f *faultTest) data(size int) []byte {
	f.seed++
	return load.RandomBytes(f.seed, size)
}

// put stores an object past the mount.
func (f *faultTest) put(key string, size int) {
	f.t.Helper()
	f.wanted[key] = f.data(size)
	_, err := f.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &f.bucket, Key: &key, Body: bytes.NewReader(f.wanted[key])})
	if err != nil {
		f.t.Fatal(err)
	}
}

// write writes a file while there is a fault. Where close waits for the server, success means that the server has it.
func (f *faultTest) write(fault harness.Fault, path string, data []byte) {
	begin := time.Now()
	err := os.WriteFile(f.m.Path(path), data, 0o644)
	f.ended(fault, "write "+path, err, begin)
	if err != nil || f.bucket == "writeback" {
		return
	}
	if got, err := f.get(path); !bytes.Equal(got, data) {
		f.t.Errorf("%s: close succeeded, but the server has %d bytes of %d in %s, %v", fault, len(got), len(data), path, err)
	}
}

func (f *faultTest) read(fault harness.Fault, path string) {
	begin := time.Now()
	got, err := os.ReadFile(f.m.Path(path))
	f.ended(fault, "read "+path, err, begin)
	if !bytes.HasPrefix(f.wanted[path], got) || err == nil && len(got) != len(f.wanted[path]) {
		f.t.Errorf("%s: %d wrong bytes were read, %v", fault, len(got), err)
	}
}

// ended checks how a call ended.
func (f *faultTest) ended(fault harness.Fault, what string, err error, begin time.Time) {
	if took := time.Since(begin); took > callTime {
		f.t.Errorf("%s: %s took %v", fault, what, took)
	}
	var errno syscall.Errno
	switch errors.As(err, &errno); {
	case err == nil || errno == syscall.EIO || errno == syscall.ETIMEDOUT:
	default:
		f.t.Errorf("%s: %s gives %v", fault, what, err)
	}
}

// interrupt ends a program that reads. The file is in a directory of its own: the kernel holds a directory's lock while a
// file is looked up to be created, and who waits for that lock takes no signal.
func (f *faultTest) interrupt(path string) {
	cmd := exec.Command("cat", f.m.Path(path))
	if err := cmd.Start(); err != nil {
		f.t.Error(err)
		return
	}
	time.Sleep(300 * time.Millisecond) // it may wait by then; if not, it ends all the same
	begin := time.Now()
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait() // it was interrupted
	if took := time.Since(begin); took > callTime/4 {
		f.t.Errorf("a program that was interrupted ended after %v", took)
	}
}

// eventually repeats a call, until it succeeds.
func (f *faultTest) eventually(fault harness.Fault, path string, call func() error) {
	f.t.Helper()
	for deadline := time.Now().Add(callTime); ; time.Sleep(50 * time.Millisecond) {
		err := call()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: it is over, but %s: %v", fault, path, err)
		}
	}
}

// waitsForNothing sees that no thread of this process and of the mount's waits without an end in the kernel.
func (f *faultTest) waitsForNothing() {
	f.t.Helper()
	for _, pid := range []int{os.Getpid(), f.m.PID()} {
		f.eventually("", fmt.Sprint("process ", pid), func() error {
			tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
			for _, task := range tasks {
				stat, _ := os.ReadFile(task)
				if _, rest, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(rest, "D") {
					return fmt.Errorf("a thread is in state D: %s", stat)
				}
			}
			return nil
		})
	}
}

func (f *faultTest) get(key string) ([]byte, error) {
	out, err := f.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &f.bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// checkServer compares all objects with what there has to be.
func (f *faultTest) checkServer() {
	f.t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(f.client, &s3.ListObjectsV2Input{Bucket: aws.String(f.bucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			f.t.Fatal(err)
		}
		for _, o := range page.Contents {
			if !strings.HasSuffix(*o.Key, "/") {
				keys = append(keys, *o.Key)
			}
		}
	}
	if len(keys) != len(f.wanted) {
		f.t.Errorf("the server has %q", keys)
	}
	for key, want := range f.wanted {
		if got, err := f.get(key); !bytes.Equal(got, want) {
			f.t.Errorf("the server has %d bytes in %s, want %d, %v", len(got), key, len(want), err)
		}
	}
}
