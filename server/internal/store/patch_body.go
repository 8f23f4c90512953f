package store

import (
	"errors"
	"hash"
	"io"

	"pail/server/internal/checksum"
)

// sentPiece is a range of the new object that was sent, within the old one or behind its end.
type sentPiece struct {
	Range
	was []byte    // checksum of the old bytes
	is  hash.Hash // of the new ones, nil where the object gets no checksum
}

// cutSent makes pieces of the ranges, and looks at what was there, where the old object has a checksum that can go on.
func (p *patching) cutSent() (list []sentPiece, err error) {
	old := &p.base.Object
	for _, r := range p.in.Ranges {
		if n := old.Size - r.Off; n > 0 && r.end() > old.Size {
			list = append(list, sentPiece{Range: Range{r.Off, n}})
			r = Range{old.Size, r.Len - n}
		}
		list = append(list, sentPiece{Range: r})
	}
	if _, err := checksum.NewCombiner(old.Checksum.Algorithm); err != nil || old.ChecksumType != checksum.FullObject || p.in.ObjectSize < old.Size {
		return list, nil
	}
	for i := range list {
		one := &list[i]
		one.is = old.Checksum.Algorithm.New()
		if one.Off >= old.Size {
			continue
		}
		h := old.Checksum.Algorithm.New()
		switch _, err := p.base.CopyRange(h, one.Off, one.Len); {
		case errors.Is(err, ErrDamaged): // and replaced now
			for i := range list {
				list[i].is = nil
			}
			return list, nil
		case err != nil:
			return nil, err
		}
		one.was = h.Sum(nil)
	}
	return list, nil
}

// sum is the checksum of the new object, zero where there is none.
func (p *patching) sum() (checksum.Sum, string) {
	old := &p.base.Object
	c, err := checksum.NewCombiner(old.Checksum.Algorithm)
	if err != nil || old.ChecksumType != checksum.FullObject || p.in.ObjectSize < old.Size || c.Add(old.Checksum.Value, old.Size) != nil {
		return checksum.Sum{}, ""
	}
	for _, one := range p.sent {
		if one.is == nil {
			return checksum.Sum{}, ""
		}
		if one.was != nil {
			err = c.Replace(one.was, one.is.Sum(nil), old.Size-one.end())
		} else {
			err = c.Add(one.is.Sum(nil), one.Len)
		}
		if err != nil {
			return checksum.Sum{}, ""
		}
	}
	return c.Sum(), checksum.FullObject
}

// merged gives the bytes of what is fresh: those that are sent, and of the old object those in between.
func (p *patching) merged(body io.Reader) io.Reader {
	var list []io.Reader
	old := func(off, end int64) {
		if off < end {
			list = append(list, p.base.Section(off, end-off))
		}
	}
	sent := p.sent
	for _, r := range p.plan.fresh {
		at := r.Off
		for ; len(sent) > 0 && sent[0].Off < r.end(); sent = sent[1:] {
			old(at, sent[0].Off)
			list = append(list, &sentReader{body: body, left: sent[0].Len, sum: sent[0].is})
			at = sent[0].end()
		}
		old(at, r.end())
	}
	return io.MultiReader(append(list, bodyEnd{body})...)
}

// sentReader reads one piece of a body.
type sentReader struct {
	body io.Reader
	left int64
	sum  hash.Hash // or nil
}

func (s *sentReader) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.body.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if s.sum != nil {
		s.sum.Write(p[:n])
	}
	if err == io.EOF {
		err = nil
		if s.left > 0 {
			err = ErrIncompleteBody
		}
	}
	return n, err
}

// bodyEnd is where a body must end, which may tell only there that it is not what it should be.
type bodyEnd struct{ body io.Reader }

func (b bodyEnd) Read(p []byte) (int, error) {
	var one [1]byte
	n, end, err := fill(b.body, one[:])
	if err == nil && (n > 0 || !end) {
		err = ErrIncompleteBody
	}
	if err == nil {
		err = io.EOF
	}
	return 0, err
}
