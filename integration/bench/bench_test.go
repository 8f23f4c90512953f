package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pail/integration/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// BenchmarkMount does every row on every system, without and with 10 ms for each request.
func BenchmarkMount(b *testing.B) {
	server := harness.Serve(b, harness.ServerOptions{Binary: harness.StaticBinary(b), HTTP: true})
	var results table
	for _, delay := range []time.Duration{0, 10 * time.Millisecond} {
		b.Run("delay="+delay.String(), func(b *testing.B) {
			for _, row := range rows {
				for _, system := range systems {
					if system.local && delay > 0 {
						continue
					}
					b.Run(row.name+"/"+system.name, func(b *testing.B) {
						system.need(b)
						for range b.N {
							f := measure(b, server, system, row, delay)
							results.add(delay, row.name, system.name, f)
							f.report(b)
						}
					})
				}
			}
		})
	}
	writeTable(b, results.String(), "PAIL_BENCH_TABLE")
}

// figures are what one run cost.
type figures struct {
	wall, stored time.Duration // until the work returned; until the service had all of it
	requests     int           // of the work alone
	cpu          time.Duration // of the mount's process
	peak         int64         // bytes of its resident memory
}

func (f figures) report(b *testing.B) {
	b.ReportMetric(f.wall.Seconds(), "s")
	b.ReportMetric(f.stored.Seconds(), "s-stored")
	b.ReportMetric(float64(f.requests), "requests")
	b.ReportMetric(f.cpu.Seconds(), "cpu-s")
	b.ReportMetric(float64(f.peak)/mib, "peak-MiB")
}

// bucketNumber gives every run a bucket of its own, so that none finds what another left in a cache.
var bucketNumber int

func measure(b *testing.B, server *harness.Server, s system, r row, delay time.Duration) figures {
	b.Helper()
	if s.local {
		return measureLocal(b, r)
	}
	bucketNumber++
	bucket := fmt.Sprintf("bench-%d", bucketNumber)
	server.Bucket(b, bucket)
	client := store{client: server.Client(b), bucket: bucket}
	client.seed(b, r.seed)
	defer client.remove(b)

	front := harness.NewProxy(b, server)
	front.SetDelay(delay)
	// Not b.TempDir: it puts the row's name into the path, and mount options cannot hold every character.
	scratch, err := os.MkdirTemp("", "pail-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(scratch) })
	dir := filepath.Join(scratch, "mnt")
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	e := &endpoint{pail: harness.StaticBinary(b), url: front.Server().URL, passwd: server.Passwd}
	m := harness.StartMount(b, s.command(e, bucket, dir, scratch), dir)
	before, cpu := front.Requests(), harness.CPUTime(b, m.PID())
	started := time.Now()
	if err := r.run(dir); err != nil {
		b.Fatal(err)
	}
	f := figures{wall: time.Since(started), requests: front.Requests() - before}
	f.cpu, f.peak = harness.CPUTime(b, m.PID())-cpu, harness.PeakRSS(b, m.PID())
	client.await(b, r.want)
	f.stored = time.Since(started)
	m.Release(b)
	client.verify(b, r.want)
	return f
}

func measureLocal(b *testing.B, r row) figures {
	b.Helper()
	dir := b.TempDir()
	for key, size := range r.seed {
		path := filepath.Join(dir, key)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, content(0, int(size)), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	started := time.Now()
	if err := r.run(dir); err != nil {
		b.Fatal(err)
	}
	wall := time.Since(started)
	return figures{wall: wall, stored: wall}
}

// table keeps, for each row and system, the best run.
type table struct {
	lines []*line
}

type line struct {
	delay time.Duration
	row   string
	cells map[string]figures
}

func (t *table) add(delay time.Duration, row, system string, f figures) {
	for _, l := range t.lines {
		if l.delay == delay && l.row == row {
			if old, seen := l.cells[system]; !seen || f.wall < old.wall {
				l.cells[system] = f
			}
			return
		}
	}
	t.lines = append(t.lines, &line{delay, row, map[string]figures{system: f}})
}

// String is the table in Markdown: seconds, [seconds until stored] where that is much later, requests, CPU seconds of
// the mount and its peak memory; and how many times the best rival's time pail takes.
func (t *table) String() string {
	var out strings.Builder
	out.WriteString("| delay, work |")
	for _, s := range systems {
		out.WriteString(" " + s.name + " |")
	}
	out.WriteString(" pail / best rival |\n|" + strings.Repeat("---|", len(systems)+2) + "\n")
	for _, l := range t.lines {
		fmt.Fprintf(&out, "| %v, %s |", l.delay, l.row)
		for _, s := range systems {
			out.WriteString(" " + l.cell(s) + " |")
		}
		out.WriteString(" " + l.ratio() + " |\n")
	}
	return out.String()
}

func (l *line) cell(s system) string {
	f, seen := l.cells[s.name]
	if !seen {
		return ""
	}
	text := fmt.Sprintf("%.3f", f.wall.Seconds())
	if f.stored > f.wall*3/2+100*time.Millisecond {
		text += fmt.Sprintf(" [%.2f]", f.stored.Seconds())
	}
	if !s.local {
		text += fmt.Sprintf(" (%d req, %.2f s CPU, %d MiB)", f.requests, f.cpu.Seconds(), f.peak/mib)
	}
	return text
}

func (l *line) ratio() string {
	var best time.Duration
	for _, rival := range []string{"s3fs", "rclone"} {
		if f, seen := l.cells[rival]; seen && (best == 0 || f.wall < best) {
			best = f.wall
		}
	}
	mine, seen := l.cells["pail"]
	if best == 0 || !seen {
		return ""
	}
	return fmt.Sprintf("%.2f", mine.wall.Seconds()/best.Seconds())
}
