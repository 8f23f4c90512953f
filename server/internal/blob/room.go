package blob

import "fmt"

// Room that blobs leave free on their volume. The metadata may be on it too, and needs room for as long as there is
// something to delete: the way out of a full disk. The database takes less than this for its own reserve.
const (
	reserve      = 256 << 20
	reserveShare = 5 // 1/5 of the volume at most

	roomEvery = 8 << 20 // bytes between two looks at the volume, of a blob whose size is not known
)

// roomFS is an FS that knows the room of its volume.
type roomFS interface {
	// Room gives the bytes that are free at path, and the size of the volume.
	Room(path string) (free, total int64, err error)
}

// admit refuses n bytes when the room is short.
func (s *Files) admit(n int64) error {
	volume, ok := s.fs.(roomFS)
	if !ok {
		return nil
	}
	free, total, err := volume.Room(s.dir)
	if err != nil {
		return err
	}
	if keep := min(reserve, total/reserveShare); total > 0 && free-n < keep {
		return fmt.Errorf("%w: %d bytes are free, %d of them are kept back", ErrNoSpace, free, keep)
	}
	return nil
}
