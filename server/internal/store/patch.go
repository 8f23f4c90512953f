package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"strings"

	"pail/server/internal/blob"
	"pail/server/internal/checksum"
	"pail/server/internal/meta"
	"pail/server/internal/sse"
)

// MaxPatchRanges is how many ranges a patch may have.
const MaxPatchRanges = 256

// PatchInput is an object to be made of the one in place, which Cond.IfMatch names with one ETag. Body is the bytes of
// Ranges, one after another; all else up to ObjectSize is as it was. Ranges are in order, do not overlap, and leave out
// nothing behind the old object's end.
type PatchInput struct {
	PutInput
	Ranges     []Range
	ObjectSize int64
}

// check refuses what cannot be the description of a patch of any object.
func (in *PatchInput) check() error {
	if len(in.Cond.IfMatch) != 1 || in.Cond.IfMatch[0] == "*" {
		return fmt.Errorf("%w: a patch needs the ETag of one version", ErrInvalidArgument)
	}
	if in.ObjectSize < 0 || len(in.Ranges) > MaxPatchRanges {
		return ErrInvalidArgument
	}
	end, sent := int64(0), int64(0)
	for _, r := range in.Ranges {
		if r.Off < end || r.Len <= 0 || r.Off > in.ObjectSize || r.Len > in.ObjectSize-r.Off {
			return ErrInvalidRange
		}
		end, sent = r.end(), sent+r.Len
	}
	switch {
	case in.Size >= 0 && in.Size != sent:
		return fmt.Errorf("%w: the body is not as long as the ranges", ErrInvalidArgument)
	case in.ObjectSize > MaxObjectSize || sent > MaxPutSize:
		return ErrEntityTooLarge
	}
	return nil
}

// fits refuses ranges that leave a gap behind the old end.
func (in *PatchInput) fits(old int64) error {
	end := in.ObjectSize
	for i := len(in.Ranges) - 1; i >= 0 && end > old && in.Ranges[i].end() == end; i-- {
		end = in.Ranges[i].Off
	}
	if end > old {
		return ErrInvalidRange
	}
	return nil
}

// PatchObject makes a new version of an object of the one in place, without moving what stays the same, but for some of
// what lies around what changes (patchLimits). It is otherwise what PutObject with the same input is, and as durable. The
// object becomes one of parts, so that nobody takes its ETag for an MD5: that is a hash of the old one and of the patch, see
// patchTag. A CRC of the whole old object goes on, unless the new one is shorter.
//
// Old and new object may be encrypted differently, but with one customer's key at most; everything is stored anew then:
// more than MaxPutSize is ErrEntityTooLarge.
//
// Damage of bytes that it does not have to read does not hinder it; else it is ErrPatchDamaged.
func (s *Store) PatchObject(ctx context.Context, in PatchInput) (Object, error) {
	if err := cmp.Or(checkKey(in.Key), in.check()); err != nil {
		return Object{}, err
	}
	o, err := s.patchObject(ctx, in)
	if errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrPatchDamaged, err)
	}
	return o, err
}

func (s *Store) patchObject(ctx context.Context, in PatchInput) (Object, error) {
	base, err := s.GetObject(ctx, in.Bucket, in.Key, ReadInput{Customer: in.Customer, Cond: Conditions{IfMatch: in.Cond.IfMatch}})
	if err != nil {
		return Object{}, err
	}
	defer base.Close()
	p := &patching{store: s, in: &in, base: base}
	if err := p.prepare(ctx); err != nil {
		return Object{}, err
	}
	if err := p.ingest(ctx); err != nil {
		return Object{}, err
	}
	return p.commit(ctx)
}

// patching is a patch in progress.
type patching struct {
	store *Store
	in    *PatchInput
	base  *ObjectReader
	keys  *sse.Access // of the new object
	plan  *patchPlan
	sent  []sentPiece
	fresh *content
	etag  [16]byte

	extents []extent // of the new object; those that are fresh have no blob before there is one
	spent   int64    // of patchLimits.budget
}

// prepare decides what is stored anew.
func (p *patching) prepare(ctx context.Context) (err error) {
	if err := p.in.fits(p.base.Object.Size); err != nil {
		return err
	}
	if p.keys, err = p.store.keys.Open(p.in.Extra.Encryption, p.in.Customer); err != nil {
		return err
	}
	if p.sent, err = p.cutSent(); err != nil {
		return err
	}
	if len(p.base.extents) == 0 || !p.base.keys.Same(p.keys) {
		p.plan = wholePatch(p.in.ObjectSize)
	} else {
		p.plan = planPatch(p.base.extents, p.in.ObjectSize, p.in.Ranges)
		if err := p.tidy(ctx); err != nil {
			return err
		}
	}
	if p.extents = p.plan.pieces(blob.ID{}); len(p.extents) > maxExtents {
		return ErrTooManyExtents
	}
	return nil
}

// ingest stores what is fresh.
func (p *patching) ingest(ctx context.Context) (err error) {
	sum, body := md5.New(), p.in.Body
	if body == nil {
		body = bytes.NewReader(nil)
	}
	body = io.TeeReader(body, sum)
	computed := Computed{Sum: checksum.Sum{Algorithm: p.in.Algorithm}}
	h := p.in.Algorithm.New()
	if h != nil {
		body = io.TeeReader(body, h)
	}
	p.fresh, err = p.store.ingest(ctx, source{body: p.merged(body), size: rangesLen(p.plan.fresh), keys: p.keys, noTag: true, verify: func(Computed) error {
		computed.MD5 = sum.Sum(nil)
		if h != nil {
			computed.Sum.Value = h.Sum(nil)
		}
		computed.Size = rangesLen(p.in.Ranges)
		p.etag = patchTag(p.in, computed.MD5)
		if p.in.Verify == nil {
			return nil
		}
		return p.in.Verify(computed)
	}})
	if err == nil && p.keys.HidesMD5() {
		p.etag = p.fresh.etag
	}
	return err
}

// patchTag is what stands before the dash of the ETag of a patched object: the MD5 of a line of text, which whoever sent
// the patch can make too. NB: s3client.PatchOptions does; see API.md.
func patchTag(in *PatchInput, sum []byte) [16]byte {
	ranges := make([]string, len(in.Ranges))
	for i, r := range in.Ranges {
		ranges[i] = fmt.Sprintf("%d+%d", r.Off, r.Len)
	}
	return md5.Sum(fmt.Appendf(nil, "pail patch %s %d %s %x", in.Cond.IfMatch[0], in.ObjectSize, strings.Join(ranges, ","), sum))
}

func (p *patching) commit(ctx context.Context) (o Object, err error) {
	in, manifestID := p.in, p.store.newID()
	m, shared := p.manifest()
	made := objectRow{size: in.ObjectSize, modified: p.store.now(), etag: p.etag, parts: len(m.parts), owner: in.Owner,
		attrs: in.Attrs, body: body{bodyManifest, manifestID}, extra: in.Extra}
	made.sum, made.sumType = p.sum()
	err = p.store.update(ctx, p.fresh.blobs(), func(x *tx) error {
		b, err := getBucket(x, in.Bucket)
		if err != nil {
			return err
		}
		old, err := x.replaced(b, in.Key, in.Cond)
		if err != nil {
			return err
		}
		if old.version() != p.base.version || !bytes.Equal(old.extra.Encryption, p.base.Object.Encryption) {
			return ErrConditionalConflict // another object with the same ETag took its place
		}
		if err := p.refer(x, manifestID, m, shared); err != nil {
			return err
		}
		row := new(made)
		if err := x.put(b, in.Key, row, old); err != nil {
			return err
		}
		x.event(EventPatch, b, in.Key, row)
		o = b.object(row, in.Bucket, in.Key)
		return nil
	})
	return o, err
}

// manifest gives what the new object is made of, and the extents that need a reference besides the one that comes with the
// fresh blob.
func (p *patching) manifest() (m *manifest, shared []extent) {
	made := blob.ID(p.fresh.body.id)
	first := true
	for i := range p.extents {
		e := &p.extents[i]
		fresh := e.blob == blob.ID{}
		if fresh {
			e.blob = made
		}
		if !fresh || !first {
			shared = append(shared, *e)
		}
		first = first && !fresh
	}
	return &manifest{parts: patchedParts(p.in.ObjectSize), extents: p.extents}, shared
}

// refer writes the manifest, and takes a reference for each of its extents.
func (p *patching) refer(x *tx, id meta.ID, m *manifest, shared []extent) error {
	if err := x.add(p.fresh); err != nil {
		return err
	}
	if err := x.retainBlobs(shared); err != nil {
		return err
	}
	return save(x, meta.ManifestKey(id, 0), m.encode())
}

// patchedParts are as few as may be: what was patched has no parts that anybody has made.
func patchedParts(size int64) []manifestPart {
	unit := max(MaxPutSize, (size+MaxParts-1)/MaxParts)
	list := []manifestPart{{n: 1, size: min(unit, size)}}
	for at := unit; at < size; at += unit {
		list = append(list, manifestPart{n: len(list) + 1, size: min(unit, size-at)})
	}
	return list
}
