package fs_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
)

// Bytes go to the kernel from the memory that they were fetched to. Here that is hardly more than what one read takes, so
// it is used again as soon as it may be.
func TestReadsShareLittleMemory(t *testing.T) {
	m := newMount(t, readsEnv+"=524288", ttlEnv+"=1h")
	body := make([]byte, 3<<20+4321)
	rand.NewChaCha8([32]byte{}).Read(body)
	m.order(order{Op: "put", Key: "big", Body: body})
	var wg sync.WaitGroup
	for i := range uint64(8) {
		f, err := os.OpenFile(m.path("big"), os.O_RDONLY|syscall.O_DIRECT, 0) // so that every read comes to the mount
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rnd := rand.New(rand.NewPCG(i, 0))
		wg.Go(func() {
			buf := make([]byte, 1<<20)
			for range 100 {
				off := rnd.IntN(len(body))
				n, err := f.ReadAt(buf[:rnd.IntN(len(buf))], int64(off))
				if err != nil && err != io.EOF {
					t.Error(err)
					return
				}
				if !bytes.Equal(buf[:n], body[off:off+n]) {
					t.Errorf("wrong bytes in [%d, %d)", off, off+n)
				}
			}
		})
	}
	wg.Wait()
}
