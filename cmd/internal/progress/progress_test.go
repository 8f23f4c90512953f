package progress

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOnlyTerminalsGetABar(t *testing.T) {
	if New(&bytes.Buffer{}) != nil {
		t.Error("a buffer is no terminal")
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if New(file) != nil {
		t.Error("a file is no terminal")
	}
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	defer tty.Close()
	if New(tty) == nil {
		t.Error("a terminal is one")
	}
	var none *Bar
	none.Set("text", 1, 2)
	none.Clear()
}

func TestBarIsDrawnOverItself(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1, 0)
	b := &Bar{out: &out, now: func() time.Time { return now }}
	b.Set("checking rows", 0, 0)
	b.Set("too soon", 1, 9)
	now = now.Add(time.Second)
	b.Set("x", 1, 3)
	b.Set("x", 3, 3) // the end is always drawn
	b.Clear()
	got := out.String()
	if strings.Contains(got, "soon") || !strings.HasPrefix(got, "\rchecking rows\rx [") || !strings.Contains(got, " 33%\r") ||
		!strings.Contains(got, "] 100%\r") || strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
	if last := got[strings.LastIndex(strings.TrimRight(got, "\r"), "\r"):]; strings.Trim(last, " \r") != "" {
		t.Errorf("the line is not cleared: %q", last)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 3 << 60: "3072.0 PiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
