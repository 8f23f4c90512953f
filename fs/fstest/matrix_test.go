package fstest_test

import (
	"fmt"
	"strings"
	"testing"
)

// Who may remove and rename what in a sticky directory depends on the owners of the directory, of the file, and of the
// file that is replaced.
func TestStickyDirectories(t *testing.T) {
	all := scenarios{}
	for _, kind := range []string{"open f %[1]s O_CREAT|O_RDWR 0644\nclose f\n", "mkdir %[1]s 0755\n", "symlink x %[1]s\n", "mknod %[1]s S_IFIFO|0644 0\n"} {
		var script strings.Builder
		script.WriteString("mkdir s 0777\nmkdir t 0777\n")
		n := 0
		for _, dir := range []int{0, 1000, 1001} {
			fmt.Fprintf(&script, "chown s %[1]d %[1]d\nchmod s 01777\nchown t %[1]d %[1]d\nchmod t 01777\n", dir)
			for _, owner := range []int{0, 1000, 1001} {
				n++
				name := fmt.Sprint("s/a", n)
				fmt.Fprintf(&script, kind+"lchown %[1]s %[2]d %[2]d\n", name, owner)
				fmt.Fprintf(&script, kind+"lchown %[1]s 1001 1001\n", "t/x")
				fmt.Fprintf(&script, "u1000 rename %[1]s s/b\nu1000 rename s/b %[1]s\nu1000 rename %[1]s t/x\nu1000 rename t/x %[1]s\nu1000 unlink %[1]s\nu1000 rmdir %[1]s\n", name)
				script.WriteString("rename t/x junk\nunlink junk\nrmdir junk\nunlink t/x\nrmdir t/x\n")
				fmt.Fprintf(&script, "unlink %[1]s\nrmdir %[1]s\n", name)
			}
		}
		all[strings.Fields(kind)[0]] = script.String()
	}
	all.run(t)
}

func TestSetIDs(t *testing.T) {
	all := scenarios{}
	for _, mode := range []string{"06777", "06755", "04755", "02755", "06711", "02711", "04644", "06644", "02666"} {
		var script strings.Builder
		script.WriteString("chmod . 0777\n")
		reset := "chown a 1000 1000\nchmod a " + mode + "\n"
		script.WriteString("open f a O_CREAT|O_RDWR 0644\nwrite f hello\nclose f\n")
		for _, who := range []string{"", "u1000 ", "u1000:7,1000 ", "u1001 ", "u1001:1,1000 "} {
			for _, do := range []string{
				"open f a O_RDWR\n%[1]swrite f x\nclose f\n",
				"%[1]sopen f a O_RDWR\n%[1]swrite f x\n%[1]sftruncate f 3\nclose f\n",
				"%[1]sopen f a O_RDWR\n%[1]sftruncate f 3\nclose f\n",
				"%[1]sopen f a O_WRONLY|O_TRUNC\nclose f\n",
				"%[1]struncate a 4\n", "%[1]schown a -1 1000\n", "%[1]schown a 1000 -1\n", "%[1]schown a -1 -1\n",
				"%[1]schown a -1 7\n", "%[1]slchown a 1000 1000\n", "%[1]schmod a 06755\n", "%[1]sutimens a now now\n",
				"%[1]sopen f a O_RDWR\n%[1]sfallocate f 0 0 100\nclose f\n",
				"%[1]sopen f a O_RDWR\n%[1]sfchown f -1 7\n%[1]sfchmod f 02777\nclose f\n",
				"%[1]ssetxattr a user.x y\n", "%[1]slink a b\nunlink b\n",
			} {
				script.WriteString(reset + fmt.Sprintf(do, who))
			}
		}
		all[mode] = script.String()
	}
	all["directories"] = `
		mkdir d 0755
		chown d 1000 1000
		chmod d 06777
		u1000 chown d -1 1000
		u1000:1000,7 chown d -1 7
		chown d 1001 7
		u1000 chmod d 02777
		u1001 chmod d 02777
		u1001:1,7 chmod d 02777
		chmod d 03777
		u1000 mkdir d/e 0700
		u1000 mkdir d/f 02700
		u1000 open f d/g O_CREAT|O_RDWR 06777
		u1000:1000,7 open g d/h O_CREAT|O_RDWR 06777
		u1000 mknod d/p S_IFIFO|06777 0
		u1000 symlink x d/l
		close f
		close g`
	all.run(t)
}

func TestMoreErrors(t *testing.T) {
	name := strings.Repeat("d", 200)
	deep := strings.Repeat(name+"/", 4)
	scenarios{
		"open": `
			open f a O_CREAT|O_RDWR 0644
			close f
			symlink a l
			symlink l l2
			mkdir d 0755
			symlink d ld
			mknod p S_IFIFO|0644 0
			mknod s S_IFSOCK|0644 0
			mknod c S_IFCHR|0644 0x1ff
			mknod b S_IFBLK|0644 0x1ff0
			open f l O_RDWR|O_NOFOLLOW
			open f l2 O_RDWR|O_NOFOLLOW|O_CREAT 0644
			open f ld O_RDONLY|O_NOFOLLOW|O_DIRECTORY
			open f ld/ O_RDONLY|O_NOFOLLOW
			open f p O_WRONLY|O_NONBLOCK
			open f p O_RDWR|O_NONBLOCK
			close f
			open f p O_RDONLY|O_NONBLOCK|O_TRUNC
			close f
			open f s O_RDWR
			open f s O_PATH
			fstat f
			close f
			open f c O_RDWR
			open f b O_RDONLY
			open f d O_RDONLY|O_TRUNC
			open f d O_RDWR|O_CREAT 0644
			open f d/ O_RDWR|O_CREAT 0644
			open f none/ O_RDWR|O_CREAT 0644
			open f d O_RDONLY|O_CREAT|O_EXCL 0644
			open f a/ O_RDWR
			open f a/ O_RDWR|O_CREAT 0644
			open f . O_RDWR
			open f . O_RDONLY|O_CREAT 0644
			open f .. O_RDONLY
			open f l O_PATH|O_NOFOLLOW
			fstat f
			close f
			open f a O_RDONLY|O_NOATIME
			u1000 open f a O_RDONLY|O_NOATIME
			open f a O_WRONLY|O_APPEND|O_TRUNC
			write f x
			close f
			open f a O_RDONLY|O_TRUNC
			close f
			open f a 3
			close f
			chmod a 0
			u1000 open f a O_RDONLY|O_CREAT 0644
			u1000 open f a O_RDWR|O_CREAT|O_EXCL 0644
			u1000 open f new O_CREAT|O_RDWR 0644
			u1000 open f l O_RDONLY
			u1000 access a 0
			u1000 access a 4
			access a 7`,
		"deep": strings.Join([]string{
			"mkdir " + deep[:200] + " 0755", "mkdir " + deep[:401] + " 0755", "mkdir " + deep[:602] + " 0755",
			"mkdir " + deep[:803] + " 0755", "open f " + deep + name + " O_CREAT|O_RDWR 0644", "write f hello", "close f",
			"rename " + deep + name + " f", "rename f " + deep + "g", "link " + deep + "g f", "unlink " + deep + "g",
			"symlink " + deep + "g l", "readlink l", "stat l", "rename " + name + " e", "unlink e/" + deep[201:] + "g",
		}, "\n"),
		"mknod": `
			mknod a S_IFREG|0644 0
			mknod a S_IFREG|0644 0
			mknod b S_IFBLK|0600 0x12345678
			mknod c S_IFCHR|0600 0xfffff
			mknod d/x S_IFIFO|0644 0
			mknod a/x S_IFIFO|0644 0
			mknod n*256 S_IFIFO|0644 0
			mknod "" S_IFIFO|0644 0
			chmod . 0777
			u1000 mknod e S_IFBLK|0644 0x1ff
			u1000 mknod f S_IFSOCK|0640 0
			u1000 mknod g S_IFREG|0640 0
			u1000 mknod h 0640 0
			umask 077
			u1000 mknod i S_IFIFO|0666 0
			chown f 5 6
			chmod b 04711
			utimens f 5.5 6.6
			rename b c
			rename c f
			truncate f 0
			link f j
			unlink f
			stat j`,
		"symlinks": `
			symlink a*4095 l
			symlink a*4096 m
			symlink "" n
			symlink x ""
			symlink x none/l
			symlink " sp ace\n" o
			readlink o
			symlink "\xff\x01" p
			readlink p
			readlink .
			readlink ""
			readlink none
			mkdir d 0700
			symlink d e
			u1000 readlink e
			u1000 readlink d/x
			lchown e 3 4
			lutimens e 5.5 6.6
			lsetxattr e trusted.x y
			lgetxattr e trusted.x
			readlink e
			chmod . 0777
			u1000 symlink t u
			u1001 lchown u 1001 -1
			u1000 lchown u -1 1000
			link e e2
			rename e e3
			unlink e3
			readlink e2
			stat e2/.`,
		"rename and link counts": `
			mkdir a 0755
			mkdir b 0755
			mkdir a/s 0755
			mkdir a/t 0755
			mkdir b/u 0755
			rename a/s b/s
			rename b/s b/u
			rename a/t/ b/t
			rename b/t a/./t
			rename b a/t/b
			rename a a/t/b/x
			rename a/t/b .
			rename a/t/b ..
			rename . a
			rename a/t/b/u a/t
			rename a/t a
			rmdir a
			rmdir a/t/b/u
			rmdir a/t/b
			rmdir a/t
			rmdir a`,
		"truncate": `
			open f a O_CREAT|O_RDWR 0644
			write f hello
			truncate a 9223372036854775807
			ftruncate f 9223372036854775807
			ftruncate f -9223372036854775808
			truncate "" 0
			truncate a/ 0
			truncate . 0
			truncate n*256 0
			symlink l l
			truncate l 0
			close f
			open f a O_RDONLY
			ftruncate f 0
			mknod s S_IFSOCK|0644 0
			truncate s 0
			mknod c S_IFCHR|0666 0x103
			truncate c 0
			chmod a 0222
			u1000 truncate a 1
			u1000 open g a O_WRONLY
			chmod a 0
			u1000 ftruncate g 2
			close g`,
		"times": `
			open f a O_CREAT|O_RDWR 0644
			utimens a -1.000000001 -2147483648.0
			utimens a 4294967295.0 4294967296.5
			utimens a 10000000000.1 15032385535.0
			utimens a 1.0 1.1000000000
			utimens a -1.0 omit
			utimens "" now now
			utimens none/a now now
			utimens a/b now now
			utimens n*256 now now
			futimens f -5.5 -6.6
			fsync f
			close f
			mkdir d 0755
			utimens d -5.5 4294967296.0
			symlink none l
			lutimens l -5.5 4294967296.0
			utimens l now now
			chmod a 0444
			u1000 utimens a now now
			u1000 utimens a omit now
			chmod a 0222
			u1000 utimens a now now
			chown a 1000 1000
			chmod a 0
			u1000 utimens a now now
			u1000 utimens a omit omit
			u1000 utimens a 5.0 omit
			u1001 utimens a omit omit`,
		"handles": `
			open f a O_CREAT|O_RDWR 0644
			write f hello
			open g a O_RDWR|O_APPEND
			write g X 0
			read f 20 0
			seek f 3 SEEK_DATA
			seek f 3 SEEK_HOLE
			seek f 6 SEEK_DATA
			seek f 100 SEEK_HOLE
			seek f 0 SEEK_HOLE
			ftruncate f 10
			seek f 0 SEEK_HOLE
			read f 20 0
			copy f 0 g 0 5
			copy g 0 f 0 5
			copy f 0 f 100 5
			open h d O_RDONLY
			copy h 0 f 0 5
			open h . O_RDONLY
			copy h 0 f 0 5
			copy f 0 h 0 5
			read h 10
			fsync h
			ftruncate h 0
			open h a O_RDONLY
			copy f 0 h 0 5
			copy h 0 f 0 5
			open h a O_WRONLY
			copy h 0 f 0 5
			read h 1 0
			fallocate h 0 0 10000
			fallocate f 0x40 0 10
			mknod p S_IFIFO|0644 0
			open h p O_RDWR|O_NONBLOCK
			fallocate h 0 0 10
			ftruncate h 0
			seek h 0 SEEK_SET
			close h
			unlink a
			fsync f
			fchmod f 0600
			write f after 0
			read g 10 0
			link a b
			close f
			close g`,
	}.run(t)
}
