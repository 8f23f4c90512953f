package mountinfo

import (
	"strings"
	"testing"
)

const table = `22 28 0:21 / /proc rw,nosuid - proc proc rw
40 28 0:38 / /mnt/a\040b rw,nosuid,nodev shared:1 - fuse.pail bucket:/dir rw,user_id=0
41 28 0:39 / /mnt/x rw - ext4 /dev/sda1 rw
42 41 0:40 / /mnt/x rw - fuse.s3fs s3fs rw
garbage
43 28 0:41 / /mnt/nosource rw - tmpfs
`

func TestFindReadsTheTopmostMount(t *testing.T) {
	for _, test := range []struct {
		dir  string
		want Entry
		ok   bool
	}{
		{"/proc", Entry{"0:21", "/proc", "proc", "proc"}, true},
		{"/mnt/a b", Entry{"0:38", "/mnt/a b", "bucket:/dir", "fuse.pail"}, true},
		{"/mnt/x", Entry{"0:40", "/mnt/x", "s3fs", "fuse.s3fs"}, true},
		{"/mnt/nosource", Entry{"0:41", "/mnt/nosource", "", "tmpfs"}, true},
		{"/mnt", Entry{}, false},
	} {
		got, ok, err := find(strings.NewReader(table), test.dir)
		if err != nil || ok != test.ok || got != test.want {
			t.Errorf("%s: %+v %v %v", test.dir, got, ok, err)
		}
	}
}

func TestUnescape(t *testing.T) {
	if got := unescape(`/mnt/a\040b\134c\09`); got != `/mnt/a b\c\09` {
		t.Errorf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range strings.Split(table, "\n") {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) { parse(line) })
}
