package fstest_test

import "testing"

func TestContent(t *testing.T) {
	scenarios{
		"truncate": `
			open f a O_CREAT|O_RDWR 0644
			write f "hello world"
			truncate a 5
			truncate a 10
			read f 20 0
			ftruncate f 3
			ftruncate f 100000
			ftruncate f -1
			truncate a -1
			close f
			truncate a 2
			truncate a 200000
			truncate a 9223372036854775807
			mkdir d 0755
			truncate d 0
			truncate none 0
			symlink a l
			truncate l 7
			mknod p S_IFIFO|0644 0
			truncate p 0
			u1000 truncate a 0
			chmod a 0444
			u1000 truncate a 0
			chmod a 0222
			u1000 truncate a 1
			chown a 1000 1000
			chmod a 0400
			u1000 truncate a 0`,
		"offsets": `
			open f a O_CREAT|O_RDWR 0644
			write f x 10
			write f y -1
			read f 5 -1
			read f 5 100
			read f 0 0
			read f 20 5
			seek f 0 SEEK_END
			seek f -100 SEEK_SET
			write f end
			write f ""
			read f 20 0
			close f
			seek f 0 SEEK_END`,
		"holes": `
			open f a O_CREAT|O_RDWR 0644
			write f data 65536
			seek f 70000 SEEK_DATA
			seek f 70000 SEEK_HOLE
			seek f -1 SEEK_HOLE
			seek f -1 SEEK_DATA
			close f`,
		"mapping": `
			open f a O_CREAT|O_RDWR 0644
			ftruncate f 8192
			mmap f 4096 hello
			read f 10 4096
			write f X 4096
			mmap f 0 begin
			close f
			open f a O_RDONLY
			mmap f 0 x
			read f 10 4096`,
		"fallocate": `
			open f a O_CREAT|O_RDWR 0644
			write f hello
			fallocate f 0 0 10
			fallocate f 0 5 10000
			fallocate f KEEP_SIZE 0 100000
			fallocate f PUNCH_HOLE|KEEP_SIZE 1 2
			fallocate f PUNCH_HOLE|KEEP_SIZE 4096 100000
			fallocate f PUNCH_HOLE 0 10
			fallocate f ZERO_RANGE 0 1
			fallocate f ZERO_RANGE 9000 10000
			fallocate f ZERO_RANGE|KEEP_SIZE 9000 100000
			fallocate f 0 0 0
			fallocate f 0 -1 10
			fallocate f 0 0 -1
			read f 10 0
			close f
			open f a O_RDONLY
			fallocate f 0 0 10
			open f a O_RDWR
			fallocate f 0 0 10
			fallocate f PUNCH_HOLE|KEEP_SIZE 2 2
			close f
			mkdir d 0755
			open f d O_RDONLY
			fallocate f 0 0 10
			chmod . 0777
			chmod a 06777
			u1000 open f a O_RDWR
			u1000 fallocate f 0 0 100000
			close f
			chmod a 06777
			u1000 open f a O_RDWR
			u1000 fallocate f PUNCH_HOLE|KEEP_SIZE 0 10
			close f`,
		"locks": `
			open f a O_CREAT|O_RDWR 0644
			open g a O_RDWR
			flock f LOCK_EX|LOCK_NB
			flock g LOCK_SH|LOCK_NB
			flock f LOCK_UN
			flock g LOCK_SH|LOCK_NB
			flock f LOCK_SH|LOCK_NB
			flock f LOCK_EX|LOCK_NB
			close g
			open g a O_RDWR
			flock f LOCK_EX|LOCK_NB
			lock f F_WRLCK 0 10
			lock g F_WRLCK 10 10
			lock g F_RDLCK 5 10
			lock f F_UNLCK 0 0
			lock g F_RDLCK 5 10
			lock f F_RDLCK 5 10
			unlink a
			lock f F_WRLCK 5 10
			close f
			open f . O_RDONLY
			flock f LOCK_EX|LOCK_NB`,
		"temporary files": `
			umask 022
			open f . O_TMPFILE|O_RDWR 0666
			fstat f
			write f "hello"
			read f 10 0
			fchmod f 0640
			fchown f 1000 100
			futimens f 100.5 200.25
			ftruncate f 3
			fsync f
			mkdir d 0755
			linkfd f d/a
			fstat f
			stat d/a
			linkfd f d/a
			write f "more"
			read f 10 0
			linkfd f b
			unlink d/a
			fstat f
			unlink b
			linkfd f c
			close f
			open f d O_TMPFILE|O_WRONLY 0600
			write f "gone"
			close f
			list d
			open f d O_TMPFILE|O_RDWR|O_EXCL 0600
			linkfd f a
			linkproc f a
			close f
			open f d O_TMPFILE|O_RDWR 0600
			write f "by its descriptor"
			linkproc f d/p
			linkproc f d/p
			fstat f
			stat d/p
			unlink d/p
			close f
			open f d O_TMPFILE|O_RDWR 0600
			rmdir d
			linkfd f e
			close f
			u1000 open f . O_TMPFILE|O_RDWR 0600
			open f e O_TMPFILE|O_RDWR 0600
			open f missing O_TMPFILE|O_RDWR 0600
			open f . O_TMPFILE|O_RDONLY 0600`,
		"temporary files in a directory with an ACL and setgid": `
			mkdir d 0777
			chown d 0 500
			chmod d 02777
			u1000:100 open f d O_TMPFILE|O_RDWR 0666
			fstat f
			u1000:100 linkfd f d/a
			close f
			stat d/a`,
		"copy_file_range": `
			open f a O_CREAT|O_RDWR 0644
			open g b O_CREAT|O_RDWR 0644
			write f "hello world"
			copy f 0 g 0 5
			copy f 6 g 5 100
			copy f 100 g 0 5
			copy f 0 f 20 5
			copy f 0 f 2 5
			close f
			close g`,
	}.run(t)
}
