package volume_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sync/errgroup"

	"pail/fs/volume"
	"pail/s3client"
)

// Names of a few files are made, renamed and removed by many at once, on two mounts. Whatever comes of each call: a name
// that is left has the content of one of the files.
func TestHardLinksUnderConcurrency(t *testing.T) {
	linking(t, func(t *testing.T, caps s3client.Capabilities) {
		m := newMount(t, caps, ttl(0))
		const files = 3
		for i := range files {
			m.put(fmt.Sprint("keep", i), "content")
		}
		mounts := []*mount{m, m.second()}
		var work errgroup.Group
		for g := range 6 {
			work.Go(func() error {
				rng := rand.New(rand.NewPCG(uint64(g), 1))
				on := mounts[g%2]
				name := func() string { return fmt.Sprint("n", rng.IntN(4)) }
				for range 40 {
					var err error
					switch rng.IntN(4) {
					case 0, 1:
						err = on.link(fmt.Sprint("keep", rng.IntN(files)), name())
					case 2:
						err = on.unlink(name())
					case 3:
						err = on.rename(name(), name())
					}
					if err != nil && !errors.Is(err, volume.ErrNotExist) && !errors.Is(err, volume.ErrExist) && !errors.Is(err, volume.ErrStale) && !errors.Is(err, s3client.ErrNotFound) {
						return err
					}
				}
				return nil
			})
		}
		m.ok(work.Wait())
		after := m.second()
		for i := range files {
			after.whole("afterwards", []string{fmt.Sprint("keep", i)}, []string{"n0", "n1", "n2", "n3"})
		}
	})
}
