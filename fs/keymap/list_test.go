package keymap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pail/fs/keymap"
	"pail/s3client"
)

// object is a listed object; "key:n" has n bytes, n is one digit.
func object(key string) s3client.ObjectInfo {
	name, size, sized := strings.Cut(key, ":")
	info := s3client.ObjectInfo{Key: name}
	if sized {
		info.Size = int64(size[0] - '0')
	}
	return info
}

func page(objects, prefixes []string) s3client.ListPage {
	p := s3client.ListPage{Prefixes: prefixes}
	for _, o := range objects {
		p.Objects = append(p.Objects, object(o))
	}
	return p
}

// show writes a name as NAME[/] <- KEY [flags].
func show(n keymap.Name) string {
	s := n.Name
	if n.Dir {
		s += "/"
	}
	s += " <- " + n.Key
	for flag, on := range map[string]bool{" marker": n.Marker, " unsure": n.Unsure, " synthetic": n.Synthetic} {
		if on {
			s += flag
		}
	}
	return s
}

func showAll(names []keymap.Name) []string {
	var out []string
	for _, n := range names {
		out = append(out, show(n))
	}
	slices.Sort(out)
	return out
}

func TestNamesOfOnePage(t *testing.T) {
	for _, c := range []struct {
		what, prefix, dir string
		objects, prefixes []string
		want              []string
	}{
		{"files and directories", "", "", []string{"a:1", "c:2"}, []string{"b/"}, []string{"a <- a", "b/ <- b/", "c <- c"}},
		{"own marker is no entry", "", "d", []string{"d/", "d/x:1"}, nil, []string{"x <- d/x"}},
		{"prefix mount", "p/", "", []string{"p/", "p/x:1"}, []string{"p/y/"}, []string{"x <- p/x", "y/ <- p/y/"}},
		{"own marker with bytes", "", "d", []string{"d/:5"}, nil, []string{"~pail-raw <- d/"}},
		{"file beside directory", "", "", []string{"a:1"}, []string{"a/"}, []string{"a/ <- a/", "a~pail-file <- a"}},
		{"empty file beside directory", "", "", []string{"a"}, []string{"a/"},
			[]string{"a/ <- a/", "a~pail-file <- a unsure"}},
		{"empty file", "", "", []string{"a"}, nil, []string{"a <- a unsure"}},
		{"old marker", "", "", []string{"a_$folder$"}, nil, []string{"a/ <- a/ marker"}},
		{"old marker, children", "", "", []string{"a_$folder$"}, []string{"a/"}, []string{"a/ <- a/ marker"}},
		{"old marker, file", "", "", []string{"a:1", "a_$folder$"}, nil, []string{"a/ <- a/ marker", "a~pail-file <- a"}},
		{"old marker with bytes", "", "", []string{"a_$folder$:7"}, nil,
			[]string{"a/ <- a/ marker", "a_$folder$~pail-raw <- a_$folder$"}},
		{"real name like an old marker", "", "", []string{"a_\ue024folder$:7"}, nil, []string{"a_$folder$ <- a_\ue024folder$"}},
		{"leading and double slash", "", "", []string{"x:1"}, []string{"/"}, []string{"x <- x", "~pail-raw/ <- /"}},
		{"inside the empty element", "", "a/~pail-raw", []string{"a//x:1"}, []string{"a///"},
			[]string{"x <- a//x", "~pail-raw/ <- a///"}},
		{"dots", "", "", []string{".:1", "..:1"}, []string{"../", "./"}, []string{
			"%2E.~pail-raw/ <- ../", "%2E.~pail-raw~pail-file <- ..", "%2E~pail-raw/ <- ./", "%2E~pail-raw~pail-file <- ."}},
		{"strangers' keys are ignored", "", "d", []string{"e/x:1", "d/x/y:1"}, []string{"e/", "d/x/y/", "d/x"}, nil},
		{"long name", "", "", []string{long300 + ":1"}, []string{long300 + "/"},
			[]string{long300[:200] + "~pail-cont/ <-  synthetic"}},
		{"inside a long name", "", long300[:200] + "~pail-cont",
			[]string{long300[:200] + ":1", long300[:250] + ":1", long300 + ":1"}, []string{long300 + "/"}, []string{
				long300[200:] + "~pail-end/ <- " + long300 + "/", long300[200:] + "~pail-file <- " + long300}},
		{"clash of 250 bytes", "", "", []string{long300[:250] + ":1"}, []string{long300[:250] + "/"}, []string{
			long300[:200] + "~pail-cont/ <-  synthetic", long300[:250] + "/ <- " + long300[:250] + "/"}},
		{"inside it", "", long300[:200] + "~pail-cont", []string{long300[:250] + ":1"}, []string{long300[:250] + "/"},
			[]string{long300[200:250] + "~pail-file <- " + long300[:250]}},
		{"illegal directory", "", "x~pail-raw", []string{"x~pail-raw/a:1"}, nil, nil},
	} {
		got := showAll(keymap.New(c.prefix).Names(c.dir, page(c.objects, c.prefixes)))
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.what, got, c.want)
		}
	}
}

func TestListedContentTypeTellsOldMarkers(t *testing.T) {
	p := page([]string{"a", "b"}, []string{"b/"})
	p.Objects[0].System.ContentType = "application/x-directory; charset=UTF-8"
	p.Objects[1].System.ContentType = "httpd/unix-directory"
	got := showAll(keymap.New("").Names("", p))
	if want := []string{"a/ <- a/ marker", "b/ <- b/ marker"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDirectoryOnALaterPageStillTakesThePlainName(t *testing.T) {
	l := keymap.New("").List("")
	first := page([]string{"a:1", "a-1:1"}, nil)
	first.NextToken = "more"
	if got := showAll(l.Page(first)); len(got) != 0 {
		t.Errorf("certain after page 1: %q", got)
	}
	var middle s3client.ListPage
	for i := range 1000 {
		middle.Objects = append(middle.Objects, object(fmt.Sprintf("a-2%03d:1", i)))
	}
	middle.NextToken = "more"
	if got := l.Page(middle); len(got) != 1000 { // a-1 is certain now, a-2999 not yet
		t.Errorf("page 2 has %d names", len(got))
	}
	got := showAll(l.Page(page([]string{"b:1"}, []string{"a/"})))
	if want := []string{"a-2999 <- a-2999", "a/ <- a/", "a~pail-file <- a", "b <- b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOneSyntheticDirectoryForManyLongNames(t *testing.T) {
	l := keymap.New("").List("")
	count := 0
	for i := range 3 {
		p := page([]string{fmt.Sprintf("%s%d:1", long300, i)}, nil)
		if i < 2 {
			p.NextToken = "more"
		}
		count += len(l.Page(p))
	}
	if count != 1 {
		t.Errorf("%d names, want 1", count)
	}
}
