package fstest_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// scenarios are scripts by what they show.
type scenarios map[string]string

// extension finds a call that a mount of a plain service refuses: one that gives a file a second name, or swaps two.
var extension = regexp.MustCompile(`(?m)^\s*(u[\d:,]+ )?(link |linkfd f b$|rename .* EXCHANGE)`)

// run runs each on mounts of its own: on one that remembers nothing, and on one that does: by itself, with a journal, and under a lease, in turn. PAIL_FSTEST_WALKS runs each on all. PAIL_TEST_ENDPOINT runs each on
// the service that it names.
func (all scenarios) run(t *testing.T) {
	t.Helper()
	s := newServer(t)
	for i, name := range slices.Sorted(maps.Keys(all)) {
		script, kinds := all[name], []string{direct, able, later, leased}
		if env(t, "PAIL_FSTEST_WALKS", 0) == 0 {
			kinds = []string{direct, kinds[1+i%3]}
		}
		if elsewhere() {
			kinds = []string{plain}
		}
		for _, kind := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				if what := extension.FindString(script); kind == plain && what != "" {
					t.Skipf("a service without extensions has no %q", what)
				}
				s.scenario(t, kind, script)
			})
		}
	}
}

func TestOpen(t *testing.T) {
	scenarios{
		"create": `
			open f a O_CREAT|O_EXCL|O_RDWR 0640
			open g a O_CREAT|O_EXCL|O_RDWR 0640
			open g a O_CREAT|O_RDWR 0777
			write g hello
			read f 10 0
			close f
			close g
			u1000 open f a O_RDONLY
			u1000 open f b O_CREAT|O_RDWR 0644
			chmod . 0777
			u1000 open f b O_CREAT|O_RDWR 0
			u1000 write f x
			u1000 open g b O_RDONLY
			close f
			open f a/b O_CREAT|O_RDWR 0644
			open f none/b O_CREAT|O_RDWR 0644
			open f none O_RDONLY
			open f "" O_RDONLY
			open f c O_CREAT|O_WRONLY 07777
			u1000 open f d O_CREAT|O_WRONLY 07777
			close f`,
		"truncate": `
			open f a O_CREAT|O_RDWR 0644
			write f "hello world"
			close f
			open f a O_TRUNC|O_RDWR
			open g a O_RDONLY
			read g 10
			close f
			close g
			u1000 open f a O_TRUNC|O_WRONLY
			open f a O_TRUNC|O_WRONLY|O_CREAT|O_EXCL
			mkdir d 0755
			open f d O_TRUNC|O_WRONLY`,
		"directory": `
			mkdir d 0755
			open f d O_RDONLY
			read f 10
			write f x
			ftruncate f 0
			close f
			open f d O_WRONLY
			open f d O_RDWR
			open f d O_RDONLY|O_CREAT 0644
			open f d O_RDONLY|O_DIRECTORY
			open f e O_CREAT|O_WRONLY 0644
			close f
			open f e O_RDONLY|O_DIRECTORY
			open f e/ O_RDONLY
			open f g/ O_CREAT|O_RDWR 0644
			open f d/ O_RDONLY
			open f d/. O_RDONLY
			open f d/.. O_RDONLY
			open f e/. O_RDONLY
			open f e/.. O_RDONLY
			u1000 open f d O_RDONLY
			chmod d 0
			u1000 open f d O_RDONLY
			u1000 open f d/x O_RDONLY`,
		"symlinks": `
			open f a O_CREAT|O_WRONLY 0644
			close f
			symlink a l
			open f l O_RDONLY
			open f l O_RDONLY|O_NOFOLLOW
			open f l O_CREAT|O_EXCL|O_RDWR 0644
			symlink none dangling
			open f dangling O_RDONLY
			open f dangling O_CREAT|O_EXCL|O_RDWR 0644
			open f dangling O_CREAT|O_RDWR 0644
			close f
			symlink loop2 loop1
			symlink loop1 loop2
			open f loop1 O_RDONLY
			stat loop1
			mkdir d 0755
			symlink d ld
			open f ld/x O_CREAT|O_RDWR 0644
			close f
			open f ld O_RDONLY|O_DIRECTORY
			open f ld O_RDONLY|O_DIRECTORY|O_NOFOLLOW`,
		"special files": `
			mknod fifo S_IFIFO|0644 0
			mknod sock S_IFSOCK|0644 0
			mknod null S_IFCHR|0666 0x103
			mknod block S_IFBLK|0600 0x7ff
			mknod regular S_IFREG|0644 0
			mknod plain 0644 0
			open f fifo O_RDONLY|O_NONBLOCK
			close f
			open f fifo O_WRONLY|O_NONBLOCK
			open f sock O_RDONLY
			open f null O_RDWR
			write f hello
			read f 10
			close f
			open f null O_TRUNC|O_CREAT|O_WRONLY 0644
			close f
			open f regular O_RDWR
			write f x
			close f
			chmod fifo 0600
			chown sock 1 2
			utimens null 5.5 7.000000001
			rename block block2
			u1000 mknod x S_IFCHR|0644 0x103
			chmod . 0777
			u1000 mknod x S_IFCHR|0644 0x103
			u1000 mknod y S_IFIFO|0644 0
			u1000 mknod z S_IFSOCK|0644 0
			mknod dir S_IFDIR|0644 0
			mknod link S_IFLNK|0644 0
			mknod fifo S_IFIFO|0644 0
			unlink fifo
			rmdir null`,
		"append": `
			open f a O_CREAT|O_WRONLY|O_APPEND 0644
			open g a O_RDWR|O_APPEND
			write f one
			write g two
			write f three
			write g four 0
			read g 100 0
			seek g 0 SEEK_SET
			write g five
			close f
			close g`,
		"read-only handles": `
			open f a O_CREAT|O_WRONLY 0644
			write f hello
			read f 5 0
			close f
			open f a O_RDONLY
			write f x
			ftruncate f 1
			fchmod f 0600
			fallocate f 0 0 10
			read f 10
			close f
			read f 10
			write f x`,
		"synchronous and direct": `
			open f a O_CREAT|O_RDWR|O_SYNC 0644
			write f hello
			write f x 8192
			close f
			open f a O_RDWR|O_DIRECT
			read f 4096 0
			write f X*4096 4096
			close f
			open f a O_RDWR|O_DSYNC|O_APPEND
			write f end
			fsync f
			close f
			open f . O_RDONLY
			fsync f`,
		"permissions": `
			chmod . 0777
			u1000 open f a O_CREAT|O_RDWR 0400
			close f
			u1000 open f a O_RDONLY
			u1000 open f a O_WRONLY
			u1001 open f a O_RDONLY
			open f a O_RDWR
			close f
			chmod a 0040
			u1000 open f a O_RDONLY
			u1001:1000 open f a O_RDONLY
			u1001:1,1000 open f a O_RDONLY
			u1001:1,1000 open f a O_WRONLY
			chmod a 0004
			u1001:1000 open f a O_RDONLY
			u1002 open f a O_RDONLY
			chmod a 0222
			u1002 open f a O_RDONLY
			u1002 open f a O_WRONLY|O_TRUNC
			close f
			u1002 access a 2
			u1002 access a 4
			access a 1
			mkdir d 0711
			open f d/x O_CREAT|O_RDWR 0666
			umask 077
			open f d/y O_CREAT|O_RDWR 0666
			u1000 open f d/x O_RDONLY
			u1000 open f d/y O_RDONLY
			u1000 open f d/new O_CREAT|O_RDWR 0666
			u1000 list d
			chmod d 0744
			u1000 list d
			u1000 lstat d/x
			close f`,
	}.run(t)
}

func TestNames(t *testing.T) {
	scenarios{
		"long": `
			mkdir n*255 0755
			mkdir n*256 0755
			open f f*255 O_CREAT|O_WRONLY 0644
			open f f*256 O_CREAT|O_WRONLY 0644
			symlink x s*256
			mknod p*256 S_IFIFO|0644 0
			rename f*255 g*255
			rename g*255 g*256
			rename f*256 g
			stat s*256
			unlink s*256
			rmdir s*256
			stat ` + strings.Repeat("./", 2047) + `d
			stat ` + strings.Repeat("./", 2047) + `dd
			stat ` + strings.Repeat("./", 2046) + `./d
			stat ./*2048
			symlink t*4095 long
			symlink t*4096 longer
			symlink t*4094 long2
			readlink long
			stat long
			close f
			unlink g*255
			rmdir n*255`,
		"odd": `
			mkdir "\x01\x7f" 0755
			mkdir "\xff\xfe" 0755
			mkdir " " 0755
			open f " / x" O_CREAT|O_WRONLY 0644
			close f
			open f "a\nb" O_CREAT|O_WRONLY 0644
			close f
			open f "\xff\xfe/\\" O_CREAT|O_WRONLY 0644
			close f
			mkdir ... 0755
			mkdir "ünïcödé" 0755
			open f "%2F+&?#" O_CREAT|O_WRONLY 0644
			close f
			rename "%2F+&?#" "*"
			list .`,
		"dots": `
			mkdir d 0755
			mkdir . 0755
			mkdir .. 0755
			mkdir d/. 0755
			mkdir d/.. 0755
			mkdir d/./e 0755
			mkdir d/e/../f 0755
			mkdir d/g/ 0755
			rmdir .
			rmdir d/.
			rmdir d/e/..
			unlink .
			unlink d/..
			rename . x
			rename d/. x
			rename d x/.
			rename d/.. x
			rename d/e d/..
			rename d/e d/.
			rmdir d/e/
			symlink x d/.
			list d`,
		"trailing slashes": `
			open f a O_CREAT|O_WRONLY 0644
			close f
			mkdir d 0755
			stat a/
			unlink a/
			unlink d/
			rmdir a/
			chmod a/ 0600
			chmod d/ 0700
			truncate a/ 0
			rename a b/
			rename a/ b
			rename d/ e/
			rename e f/
			symlink f l
			lstat l/
			readlink l/
			readlink l
			readlink f
			readlink a
			unlink l/
			rmdir l
			rmdir l/
			rename l/ m
			mkdir l 0755
			mkdir l/ 0755
			mkdir dangling/ 0755
			symlink none dangling2
			mkdir dangling2/ 0755
			mkdir dangling2 0755
			mknod x/ S_IFIFO|0644 0
			symlink t y/
			rmdir f/`,
		"inode numbers": `
			mkdir d 0755
			mkdir d/e 0755
			dots d
			dots d/e
			open f d/e/a O_CREAT|O_WRONLY 0644
			close f
			mkdir x 0755
			rename d/e x/e
			dots x/e
			dots d
			statfs .
			statfs x/e/a
			statfs none`,
		"numbers are kept": `
			mkdir d 0755
			open f d/a O_CREAT|O_WRONLY 0644
			close f
			symlink a d/l
			mknod d/p S_IFIFO|0644 0`,
		"through files": `
			open f a O_CREAT|O_WRONLY 0644
			close f
			mkdir a/b 0755
			rmdir a/b
			unlink a/b
			rename a/b c
			rename a a/b
			chmod a/b 0644
			chown a/b 0 0
			truncate a/b 0
			utimens a/b now now
			readlink a/b
			symlink x a/b
			mknod a/b S_IFIFO|0644 0
			stat a/b
			mkdir none/x 0755
			rmdir none
			unlink none
			rename none x
			chmod none 0644
			chown none 0 0
			lchown none 0 0
			truncate none 0
			utimens none now now
			readlink none
			stat none
			getxattr none user.a
			listxattr none`,
	}.run(t)
}

func TestRemoval(t *testing.T) {
	scenarios{
		"unlink": `
			open f a O_CREAT|O_RDWR 0644
			write f hello
			unlink a
			fstat f
			read f 10 0
			write f X 0
			ftruncate f 3
			fchmod f 0600
			fchown f 5 6
			futimens f 5.5 6.6
			fstat f
			read f 10 0
			open g a O_RDONLY
			open g a O_CREAT|O_EXCL|O_RDWR 0644
			write g new
			read f 10 0
			close f
			close g
			mkdir d 0755
			unlink d
			rmdir a
			symlink a l
			unlink l
			unlink a
			unlink a`,
		"rmdir": `
			mkdir d 0755
			mkdir d/e 0755
			rmdir d
			rmdir d/e
			open f d/x O_CREAT|O_WRONLY 0644
			rmdir d
			unlink d/x
			rmdir d
			close f
			mkdir d 0755
			open f d O_RDONLY
			rmdir d
			fstat f
			rmdir d
			symlink d l
			rmdir l`,
		"working directory": `
			mkdir d 0755
			chdir d
			rmdir ../d
			open f x O_CREAT|O_WRONLY 0644
			mkdir x 0755
			list .
			stat .`,
		"permissions": `
			mkdir d 0755
			open f d/a O_CREAT|O_WRONLY 0666
			close f
			mkdir d/s 0777
			u1000 unlink d/a
			u1000 rmdir d/s
			u1000 rename d/a d/b
			u1000 symlink x d/l
			u1000 mkdir d/m 0755
			u1000 mknod d/f S_IFIFO|0644 0
			chmod d 0777
			u1000 unlink d/a
			u1000 rmdir d/s`,
		"sticky": `
			mkdir d 01777
			u1000 open f d/a O_CREAT|O_WRONLY 0666
			u1000 mkdir d/s 0777
			close f
			u1001 unlink d/a
			u1001 rmdir d/s
			u1001 rename d/a d/b
			u1001 open f d/b O_CREAT|O_WRONLY 0666
			close f
			u1001 rename d/b d/a
			u1000 rename d/a d/b
			u1000 rename d/a d/c
			u1000 rename d/s d/t
			chmod d 0777
			chown d 1001 0
			chmod d 01777
			u1001 unlink d/c
			u1000 rmdir d/t
			unlink d/b`,
	}.run(t)
}
