package upload

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/minio/crc64nvme"
)

// running computes the checksum of a cell while it is written in order, so that nobody has to read it for that.
type running struct {
	grid  grid
	next  int64 // where the bytes go on
	valid bool  // sum is that of the cell's bytes before next
	sum   uint64
}

// add takes what was written at off, and returns the checksums of the cells that it has completed, by number.
func (r *running) add(p []byte, off int64) map[int]string {
	var done map[int]string
	r.valid = r.valid && off == r.next
	r.next = off + int64(len(p))
	for len(p) > 0 {
		n := r.grid.before(off) + 1
		if n > r.grid.count {
			break
		}
		cell := r.grid.cell(n)
		if off == cell.off {
			r.valid, r.sum = true, 0
		}
		piece := p[:min(int64(len(p)), cell.end()-off)]
		if r.valid {
			r.sum = crc64nvme.Update(r.sum, piece)
		}
		off += int64(len(piece))
		p = p[len(piece):]
		if r.valid && off == cell.end() {
			if done == nil {
				done = map[int]string{}
			}
			done[n] = encodeSum(r.sum)
		}
	}
	return done
}

// encodeSum is the checksum as S3 writes it.
func encodeSum(sum uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum))
}
