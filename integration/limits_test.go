package integration

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
)

// memoryLimit is what the mounts of these tests may use for data, mountBudget what their processes may use for all.
const memoryLimit, mountBudget = "64M", 320 << 20

// TestLimitManyFiles creates and closes many files, and opens, reads and closes all of them, from several threads. The mount
// keeps to its memory, and has no file open and no goroutine running for them in the end.
func TestLimitManyFiles(t *testing.T) {
	count, workers := harness.Scale(4_000, 100_000), 8
	eachLimit(t, func(t *testing.T, l *limits) {
		name := func(i int) string { return l.Path(fmt.Sprintf("d%d", i%100), fmt.Sprint(i)) }
		text := func(i int) string { return strings.Repeat(fmt.Sprintln("file", i), i%50) }
		for i := range 100 {
			if err := os.Mkdir(l.Path(fmt.Sprintf("d%d", i)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		l.settled()
		l.spread(workers, count, "created", func(i int) error { return os.WriteFile(name(i), []byte(text(i)), 0o644) })
		l.spread(workers, count, "read", func(i int) error {
			got, err := os.ReadFile(name(i))
			if err == nil && string(got) != text(i) {
				err = fmt.Errorf("%s has %d bytes, want %d", name(i), len(got), len(text(i)))
			}
			return err
		})
		l.nothingLeft()
	})
}

// TestLimitManyHandles has a thousand files open at once, all of them written and read.
func TestLimitManyHandles(t *testing.T) {
	const count = 1000
	eachLimit(t, func(t *testing.T, l *limits) {
		text := func(i int) string { return strings.Repeat(fmt.Sprintln("handle", i), 5000) }
		l.settled()
		files := make([]*os.File, count)
		for i := range files {
			f, err := os.Create(l.Path(fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			files[i] = f
		}
		l.spread(4, count, "written", func(i int) error { _, err := files[i].WriteString(text(i)); return err })
		l.spread(4, count, "read", func(i int) error {
			got := make([]byte, len(text(i)))
			if _, err := files[i].ReadAt(got, 0); err != nil || string(got) != text(i) {
				return fmt.Errorf("file %d has other bytes, %v", i, err)
			}
			return nil
		})
		l.spread(4, count, "closed", func(i int) error { return files[i].Close() })
		l.nothingLeft()
	})
}

// TestLimitLargeDirectory lists a directory of very many files with programs: all are there, none twice, within the
// memory of the mount.
func TestLimitLargeDirectory(t *testing.T) {
	count := harness.Scale(20_000, 1_000_000)
	bin := harness.StaticBinary(t)
	srv := harness.Serve(t, harness.ServerOptions{HTTP: true, Binary: bin})
	seed(t, srv, "bucket", count)
	for mode, words := range closeModes(t) {
		t.Run(mode, func(t *testing.T) {
			l := &limits{t: t, Mount: srv.Mount(t, "bucket", harness.MountOptions{Binary: bin, Options: append(words, "memory_limit="+memoryLimit)})}
			l.settled()
			for _, list := range [][]string{{"/bin/ls", "-f"}, {"/usr/bin/find", ".", "-name", "f*", "-printf", "%f\n"}, {"/bin/ls", "-Us1"}} {
				begin := time.Now()
				l.lists(count, list)
				t.Logf("%v: %v, peak %d MiB", list, time.Since(begin).Round(time.Millisecond), harness.PeakRSS(t, l.PID())>>20)
			}
			l.nothingLeft()
		})
	}
}

// limits is a mount whose use of the machine is looked at.
type limits struct {
	*harness.Mount
	t   *testing.T
	fds int
}

// eachLimit runs a test on a mount in each mode.
func eachLimit(t *testing.T, run func(t *testing.T, l *limits)) {
	bin := harness.StaticBinary(t)
	srv := harness.Service(t, harness.ServerOptions{HTTP: true, Binary: bin})
	for mode, words := range closeModes(t) {
		srv.Bucket(t, mode)
		t.Run(mode, func(t *testing.T) {
			opt := harness.MountOptions{Binary: bin, Options: append(words, "memory_limit="+memoryLimit)}
			run(t, &limits{t: t, Mount: srv.Mount(t, mode, opt)})
		})
	}
}

// settled notes how many files the mount's process has open, before anything is done.
func (l *limits) settled() { l.fds = l.openFiles() }

func (l *limits) openFiles() int {
	l.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", l.PID()))
	if err != nil {
		l.t.Fatal(err)
	}
	return len(list)
}

// nothingLeft fails the test when the mount has used more memory than it may, or has something left of what was done. The
// dump of its goroutines, which says so, is the end of it.
func (l *limits) nothingLeft() {
	l.t.Helper()
	rss := harness.PeakRSS(l.t, l.PID())
	if rss > mountBudget {
		l.t.Errorf("the mount used %d MiB, more than %d", rss>>20, mountBudget>>20)
	}
	for deadline := time.Now().Add(5 * time.Minute); l.Status(l.t, harness.Binary(l.t)).Report.Open > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("the mount says %+v", l.Status(l.t, harness.Binary(l.t)))
		}
	}
	const connections = 64 // to the server, which are kept for a while
	fds := l.openFiles()
	if fds > l.fds+connections {
		l.t.Errorf("the mount's process has %d files open, %d before", fds, l.fds)
	}
	goroutines := l.Dump(l.t)
	if n := strings.Count(goroutines, "\ngoroutine "); n > 100+2*connections {
		l.t.Errorf("%d goroutines are left:\n%.4000s", n, goroutines)
	} else {
		l.t.Logf("peak %d MiB; %d open files, %d before; %d goroutines", rss>>20, fds, l.fds, n)
	}
}

// spread calls fn for 0 to n-1 from several goroutines.
func (l *limits) spread(workers, n int, done string, fn func(i int) error) {
	l.t.Helper()
	begin := time.Now()
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				if err := fn(i); err != nil {
					l.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	l.t.Logf("%d files %s in %v", n, done, time.Since(begin).Round(time.Millisecond))
	if l.t.Failed() {
		l.t.FailNow()
	}
}

// lists runs a program that prints the names in the directory, and compares them with f0, f1, ...
func (l *limits) lists(count int, args []string) {
	l.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = l.Path("dir")
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("%v: %v", args, err)
	}
	seen, repeats, others := make([]bool, count), 0, 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields, i := strings.Fields(lines.Text()), -1
		name := fields[len(fields)-1]
		fmt.Sscanf(name, "f%d", &i)
		switch {
		case name == "." || name == ".." || fields[0] == "total":
		case i < 0 || i >= count:
			others++
		case seen[i]:
			repeats++
		default:
			seen[i] = true
		}
	}
	if missing := count - len(slices.DeleteFunc(seen, func(s bool) bool { return !s })); missing+repeats+others > 0 {
		l.t.Errorf("%v: %d names are missing, %d repeated, %d others", args, missing, repeats, others)
	}
}

// seed stores empty objects dir/f0, dir/f1, ... with requests that nobody has to sign: that is most of the work.
func seed(t *testing.T, srv *harness.Server, bucket string, count int) {
	t.Helper()
	srv.Bucket(t, bucket)
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::` + bucket + `/*"}]}`
	if _, err := srv.Client(t).PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: &policy}); err != nil {
		t.Fatal(err)
	}
	begin, workers := time.Now(), 64
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < count; i += workers {
				req, _ := http.NewRequest("PUT", fmt.Sprintf("%s/%s/dir/f%d", srv.URL, bucket, i), http.NoBody)
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("PUT of object %d: %s", i, resp.Status)
					return
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d objects stored in %v", count, time.Since(begin).Round(time.Millisecond))
	if t.Failed() {
		t.FailNow()
	}
}
