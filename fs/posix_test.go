package fs_test

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
)

// notPromised are the tests of go-fuse's suite that ask for what an S3 mount does not promise.
var notPromised = map[string]string{
	"FcntlFlockLocksFile": "it wants two descriptors of one process to conflict, which POSIX locks never do (fcntl(2)); " +
		"the locks are the kernel's own",
	"OpenSymlinkRace": "a name that is replaced twice between the kernel's lookup and its open answers ESTALE, as on NFS: " +
		"the object that was looked up is gone",
}

func TestPosixSuite(t *testing.T) {
	for name, test := range posixtest.All {
		t.Run(name, func(t *testing.T) {
			if reason, ok := notPromised[name]; ok {
				t.Skip(reason)
			}
			test(t, newMount(t).dir)
		})
	}
}
