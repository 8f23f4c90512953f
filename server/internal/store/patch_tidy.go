package store

import (
	"context"
	"io"

	"pail/server/internal/blob"
	"pail/server/internal/meta"
)

// tidy adds to the plan what patchLimits have stored anew.
func (p *patching) tidy(ctx context.Context) error {
	if err := p.afford(ctx, p.plan.crumbled(p.store.patch)); err != nil {
		return err
	}
	var rests []option
	err := p.store.view(ctx, func(r meta.Reader) error {
		rests = p.plan.rests(func(id blob.ID) int64 {
			row, err := load(r, meta.BlobKey(meta.ID(id)), decodeRefs)
			if err != nil {
				return 0 // whoever drops the reference meets the error
			}
			return row.size
		})
		return nil
	})
	if err != nil {
		return err
	}
	return p.afford(ctx, rests)
}

// afford adds those options to the plan that the budget is enough for and that can be read. They are read here, before the
// body is, which could not be read again for another plan.
func (p *patching) afford(ctx context.Context, options []option) error {
	budget := p.store.patch.budget(rangesLen(p.in.Ranges))
	var list []Range
	for _, o := range options {
		cost := rangesLen(o.ranges)
		if cost > budget-p.spent {
			continue
		}
		p.spent += cost
		if p.readable(o.ranges) {
			list = append(list, o.ranges...)
		}
	}
	p.plan.add(list)
	return ctx.Err()
}

// readable reports whether nothing keeps the old object's bytes in the ranges from being read.
func (p *patching) readable(ranges []Range) bool {
	for _, r := range ranges {
		if _, err := p.base.CopyRange(io.Discard, r.Off, r.Len); err != nil {
			return false
		}
	}
	return true
}
