package fs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"pail/s3client"
	"pail/s3client/memclient"
)

// BenchmarkReadDirPlus lists a directory of 1000 files whose attributes nobody knows yet; all is for the thousand.
func BenchmarkReadDirPlus(b *testing.B) {
	const files = 1000
	client := memclient.New(memclient.Options{Capabilities: memclient.Full()})
	for i := range files {
		opt := s3client.PutOptions{Meta: s3client.Meta{"mode": "33188", "uid": "0", "gid": "0", "mtime": "1700000000"}}
		if _, err := client.Put(context.Background(), fmt.Sprintf("%04d", i), strings.NewReader("x"), opt); err != nil {
			b.Fatal(err)
		}
	}
	buf := make([]byte, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r, _ := unmountedOver(b, client)
		w := &walker{r: r}
		w.NodeId = fuse.FUSE_ROOT_ID
		b.StartTimer()
		told := 0
		w.read(b, buf, func(_ string, node uint64) { told += int(min(node, 1)) })
		if told != files {
			b.Fatalf("%d files came with attributes", told)
		}
	}
}
