package fstest_test

import "testing"

func TestModesAndOwners(t *testing.T) {
	scenarios{
		"chmod": `
			open f a O_CREAT|O_WRONLY 0644
			close f
			chmod a 0
			chmod a 07777
			chmod a 0644
			chmod a 0644
			mkdir d 0755
			chmod d 01777
			chmod d 02755
			chmod d 04711
			symlink a l
			chmod l 0600
			lstat l
			chmod . 0700
			chmod . 01777
			u1000 chmod a 0600
			chown a 1000 1000
			u1000 chmod a 0600
			u1000 chmod a 02755
			chown a 1000 5
			u1000 chmod a 02755
			u1000:1000,5 chmod a 02755
			u1000 chmod a 06711
			u1000 chmod none 0600
			u1001 chmod a 0600
			mkdir e 0755
			chown e 1000 5
			u1000 chmod e 02755
			u1000 chmod e 01755
			open f a O_RDONLY
			u1000 fchmod f 0640
			u1001 fchmod f 0600
			mkdir x 0700
			open g x/a O_CREAT|O_WRONLY 0666
			u1000 chmod x/a 0600`,
		"chown": `
			open f a O_CREAT|O_WRONLY 06777
			close f
			chown a 1000 1001
			chmod a 06777
			u1000 chown a 1000 1001
			chmod a 06777
			u1000 chown a -1 1000
			chmod a 06777
			u1000 chown a -1 5
			u1000 chown a 1001 -1
			u1000:1000,5 chown a -1 5
			chmod a 06777
			u1000 chown a -1 -1
			u1001 chown a -1 -1
			u1001 chown a 1001 -1
			chmod a 02666
			chown a 0 0
			chmod a 06777
			chown a -1 -1
			mkdir d 06777
			chmod d 06777
			chown d 1000 1000
			u1000:1000,5 chown d -1 5
			symlink a l
			chown l 7 8
			lchown l 9 10
			symlink none m
			chown m 7 8
			lchown m 9 10
			u1000 lchown m 1000 -1
			open f a O_RDWR
			fchown f 11 12
			chown . 3 4
			chown a 4294967294 4294967294`,
		"set-id bits are lost by writing": `
			chmod . 0777
			u1000 open f a O_CREAT|O_RDWR 0777
			write f hello
			close f
			chmod a 06777
			u1001 open f a O_WRONLY
			u1001 write f x
			close f
			chmod a 06777
			open f a O_WRONLY
			write f y
			close f
			chmod a 06777
			u1001 open f a O_WRONLY|O_TRUNC
			close f
			chmod a 06777
			u1001 truncate a 2
			chmod a 06777
			truncate a 1
			chmod a 02776
			u1001 open f a O_WRONLY|O_APPEND
			u1001 write f z
			close f
			chmod a 06777
			u1001 open f a O_RDWR
			u1001 ftruncate f 9
			close f`,
		"setgid directories": `
			mkdir d 0755
			chown d 0 7
			chmod d 02777
			u1000 open f d/a O_CREAT|O_WRONLY 0644
			u1000 open g d/b O_CREAT|O_WRONLY 02755
			u1000:1000,7 open g d/c O_CREAT|O_WRONLY 02755
			u1000 mkdir d/e 0755
			u1000 mkdir d/e/f 0700
			u1000 open g d/e/f/g O_CREAT|O_WRONLY 0644
			u1000 symlink x d/l
			u1000 mknod d/p S_IFIFO|0644 0
			close f
			close g
			u1000 open f d/a2 O_CREAT|O_EXCL|O_WRONLY 02655
			close f`,
		"umask": `
			umask 027
			open f a O_CREAT|O_WRONLY 0777
			mkdir d 0777
			mknod p S_IFIFO|0777 0
			symlink a l
			umask 0
			open f b O_CREAT|O_WRONLY 0777
			mkdir e 01777
			mkdir g 06777
			close f`,
	}.run(t)
}

func TestTimes(t *testing.T) {
	scenarios{
		"utimensat": `
			open f a O_CREAT|O_RDWR 0644
			write f x
			utimens a 1.5 2.000000001
			fstat f
			close f
			utimens a 100.999999999 200.123456789
			utimens a omit 5.0
			utimens a 6.0 omit
			utimens a omit omit
			utimens a now omit
			utimens a omit now
			utimens a now now
			utimens a 0.0 0.0
			utimens a -1.5 -2.0
			utimens a 4294967296.0 4294967297.5
			utimens a 1.1000000000 2.0
			mkdir d 0755
			utimens d 3.3 4.4
			utimens . 3.3 4.4
			symlink a l
			utimens l 7.7 8.8
			lutimens l 9.9 10.000000001
			symlink none m
			utimens m 1.0 1.0
			lutimens m 1.0 1.0
			mknod p S_IFIFO|0644 0
			utimens p 11.0 12.0`,
		"who may set them": `
			open f a O_CREAT|O_RDWR 0666
			chmod a 0644
			u1000 utimens a now now
			u1000 utimens a 1.0 1.0
			u1000 utimens a omit omit
			chmod a 0666
			u1000 utimens a now now
			u1000 utimens a 1.0 1.0
			u1000 utimens a now omit
			u1000 utimens a omit now
			chown a 1000 1000
			chmod a 0400
			u1000 utimens a now now
			u1000 utimens a 1.0 2.0
			u1000 futimens f 3.0 4.0
			u1001 futimens f 3.0 4.0`,
		"every change is seen": `
			mkdir d 0755
			utimens d 1.0 1.0
			open f d/a O_CREAT|O_RDWR 0644
			utimens d 1.0 1.0
			write f x
			close f
			open f d/a O_RDWR
			fstat f
			close f
			open f d/a O_RDWR
			ftruncate f 1
			ftruncate f 0
			close f
			truncate d/a 0
			truncate d/a 3
			open f d/a O_RDWR|O_TRUNC
			close f
			open f d/a O_RDWR|O_TRUNC
			close f
			chmod d/a 0600
			chown d/a 1 1
			setxattr d/a user.x y
			removexattr d/a user.x
			utimens d 1.0 1.0
			rename d/a d/b
			mkdir e 0755
			utimens d 1.0 1.0
			utimens e 1.0 1.0
			rename d/b e/b
			utimens d 1.0 1.0
			rename e d/e
			utimens d/e 1.0 1.0
			unlink d/e/b
			utimens d 1.0 1.0
			rmdir d/e
			utimens d 1.0 1.0
			symlink x d/l
			utimens d 1.0 1.0
			unlink d/l
			utimens d 1.0 1.0
			mknod d/p S_IFIFO|0644 0
			open g d/p O_RDONLY|O_NONBLOCK
			chmod d 0700
			chown d 5 5`,
		"failures change nothing": `
			open f a O_CREAT|O_RDWR 0644
			write f hello
			close f
			mkdir d 0755
			mkdir d/e 0755
			u1000 chmod a 0600
			u1000 chown a 1000 -1
			u1000 truncate a 0
			truncate a -1
			rename a d
			rename d a
			rename d d/e/f
			rmdir d
			mkdir a 0755
			symlink x a
			mknod a S_IFIFO|0644 0
			open f a O_CREAT|O_EXCL|O_RDWR 0644
			u1000 unlink a
			setxattr a user.x y replace
			removexattr a user.x`,
		"an open file": `
			open f a O_CREAT|O_RDWR 0644
			write f one
			utimens a 5.5 6.6
			close f
			open f a O_RDWR
			write f two
			futimens f 7.7 8.8
			fsync f
			fchmod f 0600
			close f
			open f a O_RDWR
			utimens a 9.9 10.1
			close f
			open f a O_RDWR
			write f ""
			close f`,
	}.run(t)
}

func TestExtendedAttributes(t *testing.T) {
	scenarios{
		"set and get": `
			open f a O_CREAT|O_RDWR 0644
			setxattr a user.one hello
			getxattr a user.one
			getxattr a user.one 0
			getxattr a user.one 4
			getxattr a user.one 5
			listxattr a
			listxattr a 0
			listxattr a 5
			setxattr a user.one x create
			setxattr a user.two x replace
			setxattr a user.two x create
			setxattr a user.two "" replace
			setxattr a user.two "" create
			setxattr a user.one x create|replace
			getxattr a user.two
			getxattr a user.three
			removexattr a user.three
			removexattr a user.one
			write f data
			setxattr a user.bin "\x00\x01\xff"
			setxattr a user.ünï "quote\"d"
			close f
			getxattr a user.bin
			mkdir d 0755
			setxattr d user.x y
			listxattr d
			rename a b
			getxattr b user.bin`,
		"names": `
			open f a O_CREAT|O_RDWR 0644
			close f
			setxattr a user. x
			setxattr a nonamespace x
			setxattr a unknown.x x
			getxattr a unknown.x
			getxattr a nonamespace
			removexattr a unknown.x
			setxattr a "" x
			getxattr a ""
			setxattr a user.b*250 x
			setxattr a user.b*251 x
			getxattr a user.b*251
			setxattr a trusted.x y
			getxattr a trusted.x
			removexattr a trusted.x
			u1000 setxattr a trusted.x y
			u1000 getxattr a trusted.x
			setxattr a system.x y
			getxattr a system.x`,
		"sizes": `
			open f a O_CREAT|O_RDWR 0644
			close f
			setxattr a user.k v*500
			setxattr a user.l v*65537
			setxattr a user.m v*60000 #= ENOSPC: all attributes together have 2 KiB
			getxattr a user.k 499
			getxattr a user.k 500
			listxattr a 6
			listxattr a 7`,
		"capabilities": `
			open f a O_CREAT|O_RDWR 0755
			setxattr a security.capability "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			getxattr a security.capability
			listxattr a
			u1000 setxattr a security.capability "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			u1000 getxattr a security.capability
			write f x
			getxattr a security.capability
			setxattr a security.capability "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			chown a 5 5
			setxattr a security.capability "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			chmod a 04755
			u1000 truncate a 0
			truncate a 0
			setxattr a security.capability "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			chmod a 0777
			u1000 open g a O_RDWR|O_TRUNC
			setxattr a security.capability "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			fallocate f 0 0 10
			setxattr a security.capability "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			close f
			close g
			setxattr a security.capability bad
			removexattr a security.capability
			removexattr a security.capability`,
		"who may": `
			open f a O_CREAT|O_RDWR 0644
			close f
			setxattr a user.x y
			u1000 getxattr a user.x
			u1000 setxattr a user.x z
			u1000 removexattr a user.x
			chmod a 0600
			u1000 getxattr a user.x
			u1000 listxattr a
			chmod a 0666
			u1000 setxattr a user.x z
			symlink a l
			setxattr l user.y z
			lsetxattr l user.y z
			lgetxattr l user.y
			lremovexattr l user.y
			mknod p S_IFIFO|0666 0
			setxattr p user.y z
			getxattr p user.y
			mkdir d 01777
			u1000 setxattr d user.y z`,
	}.run(t)
}
