package fstest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// kinds make something of every kind under the name %s.
var kinds = map[string]string{
	"file":      "open f %[1]s O_CREAT|O_RDWR 0644\nwrite f %[1]s\nclose f",
	"open":      "open %[1]s %[1]s O_CREAT|O_RDWR 0644\nwrite %[1]s %[1]s",
	"directory": "mkdir %[1]s 0755",
	"full":      "mkdir %[1]s 0755\nmkdir %[1]s/x 0700\nopen f %[1]s/y O_CREAT|O_RDWR 0600\nclose f",
	"symlink":   "symlink target%[1]s %[1]s",
	"fifo":      "mknod %[1]s S_IFIFO|0644 0",
	"device":    "mknod %[1]s S_IFCHR|0600 0x103",
	"nothing":   "",
}

func TestRename(t *testing.T) {
	all := scenarios{
		"into itself": `
			mkdir d 0755
			mkdir d/e 0755
			rename d d
			rename d d/e
			rename d d/e/f
			rename d d/x
			rename d/e d
			open f a O_CREAT|O_RDWR 0644
			rename a a
			rename a a/x
			rename d/e d/../d/e
			rename a a NOREPLACE`,
		"across directories": `
			mkdir d 0755
			mkdir e 0755
			open f d/a O_CREAT|O_RDWR 0644
			write f hello
			rename d/a e/b
			write f more
			rename e d/e
			read f 20 0
			rename d x
			close f
			open f x/e/b O_RDWR
			rename x/e/b x/b
			write f third 0
			close f
			rename x/e/none y
			rename none/a y
			rename x/b none/y
			rename x/b x/b/c`,
		"permissions": `
			mkdir d 0777
			mkdir e 0755
			chmod d 0777
			u1000 open f d/a O_CREAT|O_RDWR 0644
			u1000 mkdir d/s 0755
			u1000 rename d/a e/a
			u1000 rename d/s e/s
			chmod e 0777
			u1000 rename d/a e/a
			u1000 rename d/s e/s
			mkdir d/root 0755
			u1000 rename d/root e/root
			u1000 rename d/root d/toor
			chmod d 0
			u1000 rename d/toor x
			u1000 rename e/a d/a`,
		"flags": `
			open f a O_CREAT|O_RDWR 0644
			write f a
			close f
			open f b O_CREAT|O_RDWR 0600
			write f b
			mkdir d 0700
			mkdir d/x 0755
			rename a b NOREPLACE
			rename a c NOREPLACE
			rename c a NOREPLACE
			rename d b NOREPLACE
			rename a d NOREPLACE
			rename a d/x/a NOREPLACE
			rename d/x/a a NOREPLACE
			rename none d NOREPLACE
			rename a b 0x100`,
	}
	for _, from := range slices.Sorted(maps.Keys(kinds)) {
		var script strings.Builder
		for i, to := range slices.Sorted(maps.Keys(kinds)) {
			a, b := fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)
			for _, line := range []string{kinds[from] + "\n", kinds[to] + "\n"} {
				if line != "\n" {
					fmt.Fprintf(&script, line, a)
				}
				a, b = b, a
			}
			fmt.Fprintf(&script, "rename %s %s\n", a, b)
			if from == "open" || to == "open" {
				fmt.Fprintf(&script, "close %s\nclose %s\n", a, b)
			}
		}
		all["of "+from+" onto each"] = script.String()
	}
	all.run(t)
}

// exchange is what two names can change places in.
const exchange = `
			open f a O_CREAT|O_RDWR 0644
			write f a
			close f
			open f b O_CREAT|O_RDWR 0600
			write f b
			mkdir d 0700
			mkdir d/x 0755
			open g d/x/y O_CREAT|O_RDWR 0644
			write g y
			rename a b EXCHANGE|NOREPLACE
			rename a none EXCHANGE
			rename none a EXCHANGE
			rename a b EXCHANGE
			write f more
			rename a d EXCHANGE
			rename a/x d EXCHANGE
			rename a a/x EXCHANGE
			rename a/x a EXCHANGE
			rename a a EXCHANGE
			read g 10 0
			write g Y 0
			close g
			close f
			symlink x l
			rename l d EXCHANGE
			mkdir e 0755
			rename d e/d
			rename e/d l EXCHANGE
			rename l e EXCHANGE
			list .`

func TestExchange(t *testing.T) {
	if elsewhere() {
		t.Skip("it is an extension")
	}
	newServer(t).scenario(t, able, exchange)
}

func TestExchangeNeedsAServiceThatRenames(t *testing.T) {
	newServer(t).scenario(t, plain, `
		mkdir a 0755
		mkdir b 0755
		rename a b EXCHANGE #= EINVAL: a copy is no rename`)
}
