package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pail/integration/harness"
	"pail/s3client"
	"pail/s3client/awss3"
)

// peer is an S3 server to be measured, on data in a directory of the machine.
type peer struct {
	name    string
	command func(b *testing.B, addr, dir string) *exec.Cmd // nil: pail's own
}

var peers = []peer{
	{name: "pail"},
	{name: "versitygw", command: func(b *testing.B, addr, dir string) *exec.Cmd {
		return foreign(b, []string{"ROOT_ACCESS_KEY=" + harness.AccessKey, "ROOT_SECRET_KEY=" + harness.SecretKey},
			"versitygw", "--port", addr, "posix", dir)
	}},
	{name: "minio", command: func(b *testing.B, addr, dir string) *exec.Cmd {
		return foreign(b, []string{"MINIO_ROOT_USER=" + harness.AccessKey, "MINIO_ROOT_PASSWORD=" + harness.SecretKey},
			"minio", "server", "--quiet", "--address", addr, dir)
	}},
}

// foreign is the command of a program in PATH; without it, its column stays empty.
func foreign(b *testing.B, env []string, name string, args ...string) *exec.Cmd {
	b.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		b.Skipf("%s is not in PATH", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// serve starts the server and gives its URL and process.
func (p peer) serve(b *testing.B) (url string, pid int) {
	b.Helper()
	if p.command == nil {
		s := harness.Serve(b, harness.ServerOptions{Binary: harness.StaticBinary(b), HTTP: true})
		return s.URL, s.PID()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := p.command(b, addr, b.TempDir())
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + addr + "/")
		if err == nil {
			resp.Body.Close()
			return "http://" + addr, cmd.Process.Pid
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}

// bucket makes a bucket on the server.
func bucket(b *testing.B, url string) s3client.Client {
	b.Helper()
	const name = "bench"
	in := &s3.CreateBucketInput{Bucket: aws.String(name)} // it ends with the server
	if _, err := harness.At(url).Client(b).CreateBucket(context.Background(), in); err != nil {
		b.Fatal(err)
	}
	c, err := awss3.New(awss3.Options{Bucket: name, Endpoint: url, PathStyle: true, Region: "us-east-1",
		Credentials: awss3.Static(harness.AccessKey, harness.SecretKey, "")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// rate is what one row costs a server.
type rate struct {
	operations int
	bytes      int64
	wall, cpu  time.Duration
}

func (r rate) perSecond() float64 { return float64(r.operations) / r.wall.Seconds() }

func (r rate) cpuPerOperation() float64 {
	return float64(r.cpu.Microseconds()) / float64(max(r.operations, 1))
}

// BenchmarkServer sends the same requests to each server, each on a directory of TMPDIR and its own defaults: pail syncs
// before it answers. Client and server share the machine.
func BenchmarkServer(b *testing.B) {
	results := map[string]map[string]rate{}
	for _, p := range peers {
		b.Run(p.name, func(b *testing.B) {
			for range b.N {
				url, pid := p.serve(b)
				run := &traffic{client: bucket(b, url)}
				results[p.name] = map[string]rate{}
				for _, w := range requests {
					results[p.name][w.name] = run.measure(b, w, pid)
				}
				b.ReportMetric(float64(harness.PeakRSS(b, pid))/mib, "peak-MiB")
			}
		})
	}
	writeTable(b, serverTable(results), "PAIL_BENCH_SERVERS")
}

// serverTable is in Markdown: requests a second (MB/s), the server's CPU microseconds for each, and how many times the
// best rival's rate pail reaches.
func serverTable(results map[string]map[string]rate) string {
	var out strings.Builder
	out.WriteString("| requests |")
	for _, p := range peers {
		out.WriteString(" " + p.name + " |")
	}
	out.WriteString(" pail / best rival |\n|" + strings.Repeat("---|", len(peers)+2) + "\n")
	for _, w := range requests {
		fmt.Fprintf(&out, "| %s |", w.name)
		var best float64
		for _, p := range peers {
			r, seen := results[p.name][w.name]
			if !seen || r.wall == 0 {
				out.WriteString("  |")
				continue
			}
			fmt.Fprintf(&out, " %.0f/s", r.perSecond())
			if r.bytes > mib {
				fmt.Fprintf(&out, ", %.0f MB/s", float64(r.bytes)/1e6*r.perSecond())
			}
			fmt.Fprintf(&out, " (%.0f us) |", r.cpuPerOperation())
			if p.command != nil {
				best = max(best, r.perSecond())
			}
		}
		if mine, seen := results["pail"][w.name]; seen && best > 0 {
			fmt.Fprintf(&out, " %.2f |\n", mine.perSecond()/best)
		} else {
			out.WriteString("  |\n")
		}
	}
	return out.String()
}

// writeTable prints a table, and writes it to the file that a variable of the environment names.
func writeTable(b *testing.B, text, variable string) {
	b.Helper()
	fmt.Printf("\n%s\n", text)
	if path := os.Getenv(variable); path != "" {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			b.Error(err)
		}
	}
}

var errExhausted = errors.New("no more to do")

// measure does a row for a few seconds, or until there is nothing left to do.
func (t *traffic) measure(b *testing.B, w request, pid int) rate {
	b.Helper()
	ctx := context.Background()
	if w.prepare != nil {
		if err := w.prepare(ctx, t); err != nil {
			b.Fatalf("%s: %v", w.name, err)
		}
	}
	type part struct {
		n   int
		err error
	}
	parts := make(chan part, w.workers)
	cpu, started := harness.CPUTime(b, pid), time.Now()
	for worker := range w.workers {
		go func() {
			var p part
			for time.Since(started) < rowTime && p.err == nil {
				if p.err = w.do(ctx, t, worker, p.n); p.err == nil {
					p.n++
				}
			}
			parts <- p
		}()
	}
	r := rate{bytes: w.bytes}
	for range w.workers {
		p := <-parts
		r.operations += p.n
		if p.err != nil && !errors.Is(p.err, errExhausted) {
			b.Errorf("%s: %v", w.name, p.err)
		}
	}
	r.wall, r.cpu = time.Since(started), harness.CPUTime(b, pid)-cpu
	return r
}
