package fstest_test

import "testing"

func TestHardLinks(t *testing.T) {
	scenarios{
		"every kind": `
			open f a O_CREAT|O_RDWR 0644
			write f hello
			close f
			mknod p S_IFIFO|0644 0
			mknod s S_IFSOCK|0600 0
			mknod c S_IFCHR|0600 0x103
			mknod b S_IFBLK|0600 0x7ff
			symlink a l
			mkdir d 0755
			link a d/a
			link p d/p
			link s d/s
			link c d/c
			link b d/b
			link l d/l
			link d/a a2
			link a2 a3
			stat a
			list d
			chmod d/p 0600
			chown d/s 5 6
			utimens c 5.5 6.6
			unlink a
			unlink p
			unlink d/s
			unlink c
			unlink b
			unlink l
			readlink d/l
			open f d/a O_RDONLY
			read f 10
			close f
			unlink a2
			unlink a3
			unlink d/a`,
		"one file": `
			open f a O_CREAT|O_RDWR 0644
			write f hello
			link a b
			fstat f
			open g b O_RDWR
			read g 10
			write f X 0
			read g 10 0
			write g more
			fsync g
			read f 20 0
			ftruncate f 3
			fstat g
			truncate b 7
			chmod b 0600
			chown a 1 2
			utimens b 7.7 8.8
			setxattr a user.x y
			getxattr b user.x
			close f
			close g
			open f b O_RDONLY
			read f 20
			unlink b
			read f 20 0
			fstat f
			close f
			open f a O_RDWR|O_TRUNC
			link a c
			write f new
			unlink a
			fstat f
			unlink c
			fstat f
			read f 10 0
			write f again
			close f`,
		"errors": `
			open f a O_CREAT|O_RDWR 0644
			mkdir d 0755
			link a a
			link d e
			link none e
			link a d
			link a none/e
			link a a/e
			link a/x e
			link a "" 
			link "" e
			link a d/.
			link a d/..
			link a e/
			link a/ e
			link a n*256
			link n*256 e
			link a n*255
			symlink none s
			link s t
			link a s
			link s/x e
			symlink l2 l1
			symlink l1 l2
			link l1/x e
			link a l1/x
			unlink a
			link a b
			chmod d 0700
			u1000 link n*255 d/x
			u1000 link d/x x
			u1000 link n*255 x
			chmod . 0777
			open g e O_CREAT|O_RDWR 0666
			u1000 open f g O_CREAT|O_RDWR 0644
			u1000 link g d/g
			u1000 link g h
			u1001 unlink h
			chmod . 01777
			u1001 unlink h
			u1000 unlink h
			close f
			close g`,
		"renames": `
			mkdir d 0755
			mkdir e 0755
			open f d/a O_CREAT|O_RDWR 0644
			write f one
			close f
			link d/a d/b
			link d/a e/c
			rename d/a d/b
			rename d/a d/a
			rename d/a d/b NOREPLACE
			rename d/a d/x
			rename d e/d
			chmod e/c 0600
			open f e/d/x O_RDWR
			write f two 0
			rename e/c y
			read f 10 0
			open g z O_CREAT|O_RDWR 0644
			write g three
			rename y z
			fstat g
			read g 10 0
			rename z e/d/b
			close f
			close g
			open g z O_CREAT|O_RDWR 0644
			write g four
			rename z e/d/x
			stat e/d/b
			unlink e/d/x
			fstat g
			link e/d/b b
			unlink e/d/b
			unlink b
			list e/d
			rmdir e/d
			rename e d
			close g`,
		"as programs do": `
			open f tmp O_CREAT|O_EXCL|O_RDWR 0600
			write f content
			close f
			link tmp final
			unlink tmp
			open f tmp O_CREAT|O_EXCL|O_RDWR 0600
			link tmp final
			unlink tmp
			close f
			open f final O_RDWR|O_APPEND
			write f more
			link final backup
			close f
			open f new O_CREAT|O_RDWR 0600
			write f new
			close f
			rename new final
			rename backup final
			stat final
			mkdir d 0755
			link final d/final
			rename d e
			unlink final
			rename e/final final
			link final again
			unlink final
			stat again`,
	}.run(t)
}

func TestHardLinksNeedConditions(t *testing.T) {
	newServer(t).scenario(t, plain, `
		open f a O_CREAT|O_RDWR 0644
		link a b #= EPERM: two mounts could lose a name of the file
		link a a
		link none b`)
}
