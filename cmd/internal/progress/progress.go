// Package progress draws one line on a terminal that tells how far a long step is. On anything else it draws nothing.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	interval = 100 * time.Millisecond // between two drawings
	barWidth = 30
)

// Bar is a line that is drawn over and over. A nil Bar draws nothing. It is for one goroutine.
type Bar struct {
	out   io.Writer
	now   func() time.Time
	drawn time.Time
	len   int // of what stands there
}

// New gives a Bar on out if that is a terminal, else nil.
func New(out io.Writer) *Bar {
	f, ok := out.(*os.File)
	if !ok || !Terminal(f) {
		return nil
	}
	return &Bar{out: out, now: time.Now}
}

// Terminal reports whether f is one.
func Terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Set draws done of total with a text before it, unless it has just been drawn. A total of 0 is not known.
func (b *Bar) Set(text string, done, total int64) {
	if b == nil {
		return
	}
	if now := b.now(); now.Sub(b.drawn) >= interval || done == total {
		b.drawn = now
		b.draw(line(text, done, total))
	}
}

func line(text string, done, total int64) string {
	if total <= 0 {
		return text
	}
	done = min(max(done, 0), total)
	full := int(float64(done) / float64(total) * barWidth)
	return fmt.Sprintf("%s [%s%s] %3d%%", text, strings.Repeat("#", full), strings.Repeat(".", barWidth-full),
		int(float64(done)/float64(total)*100))
}

func (b *Bar) draw(s string) {
	fmt.Fprintf(b.out, "\r%s%s", s, strings.Repeat(" ", max(b.len-len(s), 0)))
	b.len = len(s)
}

// Clear takes the line away.
func (b *Bar) Clear() {
	if b != nil && b.len > 0 {
		b.draw("")
		fmt.Fprint(b.out, "\r")
		b.len = 0
	}
}

// Bytes writes a number of bytes for people.
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1024 && unit < 4 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[unit])
}
