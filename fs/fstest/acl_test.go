package fstest_test

import "testing"

func TestACLs(t *testing.T) {
	scenarios{
		"access": `
			open f a O_CREAT|O_RDWR 0640
			write f hello
			close f
			u1000 open f a O_RDONLY
			setfacl a access u::rw-,u:1000:r--,g::---,m::r--,o::---
			u1000 open f a O_RDONLY
			u1000 open g a O_RDWR
			u1001 open g a O_RDONLY
			close f
			chmod a 0600
			u1000 open f a O_RDONLY
			chmod a 0660
			u1000 open f a O_RDONLY
			close f
			setfacl a access u::rw-,u:1000:rw-,g::---,g:7:rw-,m::rw-,o::---
			u1001:1,7 open f a O_RDWR
			close f
			u1001:7 access a 2
			u1000 setfacl a access u::rw-,g::---,o::rw-
			setfacl a access u::rw-,g::r--,o::---
			u1000 open f a O_RDONLY
			setfacl a access u::rw-,u:1000:rw-,g::---,o::---
			setfacl a access g::---,o::---
			setfacl a default u::rw-,g::---,o::---
			setfacl a access u::rw-,u:1000:rw-,g::---,m::rw-,o::---
			removexattr a system.posix_acl_access
			u1000 open f a O_RDONLY
			getxattr a system.posix_acl_access
			symlink a l
			lsetxattr l system.posix_acl_access x`,
		"setgid": `
			open f a O_CREAT|O_RDWR 0644
			close f
			chown a 1000 7
			chmod a 02777
			u1000 setfacl a access u::rw-,u:1000:r--,g::---,m::r--,o::---
			chmod a 02777
			u1000 setfacl a access u::rw-,g::rw-,o::---
			chmod a 02777
			u1000:1000,7 setfacl a access u::rw-,u:1000:r--,g::---,m::r--,o::---
			chmod a 02777
			setfacl a access u::rw-,u:1000:r--,g::---,m::r--,o::---
			setfacl a access u::rw-,u:1000:r--,g::---,m::r--,o::---
			mkdir d 0755
			chown d 1000 7
			chmod d 02777
			u1000 setfacl d access u::rwx,u:1000:r--,g::---,m::r--,o::---
			chmod d 02777
			u1000 setfacl d default u::rwx,u:1000:r--,g::---,m::r--,o::---`,
		"inheritance": `
			mkdir d 0777
			umask 077
			setfacl d default u::rwx,u:1000:rwx,g::r-x,m::rwx,o::r--
			open f d/a O_CREAT|O_RDWR 0666
			open f d/b O_CREAT|O_EXCL|O_RDWR 0640
			mkdir d/e 0777
			mkdir d/e/f 0700
			open f d/e/f/g O_CREAT|O_RDWR 0777
			mknod d/p S_IFIFO|0666 0
			mknod d/r S_IFREG|0644 0
			symlink x d/l
			u1000 open g d/a O_RDWR
			u1000 open g d/b O_RDWR
			u1000 open g d/e/new O_CREAT|O_RDWR 0666
			u1001 open g d/a O_RDWR
			u1001 open g d/a O_RDONLY
			chmod d/e 0711
			link d/a d/h
			rename d/a moved
			open f plain O_CREAT|O_RDWR 0666
			setfacl d default u::rw-,g::r--,o::---
			open f d/c O_CREAT|O_RDWR 0777
			mkdir d/m 0777
			umask 0
			open f d/n O_CREAT|O_RDWR 0666
			removexattr d system.posix_acl_default
			open f d/o O_CREAT|O_RDWR 0666
			mkdir d/q 01777
			close f`,
	}.run(t)
}
