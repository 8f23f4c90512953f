package pgdb

import (
	"bytes"
	"sort"
)

// Rows of one page: a seek needs few, a walk more and more.
const (
	firstPage  = 8
	pageGrowth = 4
	lastPage   = 256
)

// pages walks over rows of the database within bounds, of which it holds one page.
type pages struct {
	q            querier
	lower, upper []byte

	from []byte // the page has all rows from here to its last,
	end  bool   // or to upper
	page []row
	at   int // len(page): behind the last row
	size int // of the next page
	err  error
}

// current is nil off the rows.
func (p *pages) current() *row {
	if p.err != nil || p.at >= len(p.page) {
		return nil
	}
	return &p.page[p.at]
}

// seek moves to the first row with that key or a greater one. Within the page it costs no query.
func (p *pages) seek(key []byte) {
	if bytes.Compare(key, p.lower) < 0 {
		key = p.lower
	}
	if p.holds(key) {
		p.at = sort.Search(len(p.page), func(i int) bool { return bytes.Compare(p.page[i].key, key) >= 0 })
		return
	}
	p.size = firstPage
	p.load(key)
}

// holds reports whether the first row from key on is known.
func (p *pages) holds(key []byte) bool {
	if p.from == nil || p.err != nil || bytes.Compare(key, p.from) < 0 {
		return false
	}
	return p.end || len(p.page) > 0 && bytes.Compare(key, p.page[len(p.page)-1].key) <= 0
}

func (p *pages) next() {
	if p.current() == nil {
		return
	}
	if p.at++; p.at == len(p.page) && !p.end {
		p.load(append(bytes.Clone(p.page[p.at-1].key), 0))
	}
}

func (p *pages) load(from []byte) {
	p.page, p.at, p.from = nil, 0, given(bytes.Clone(from))
	if p.page, p.err = getPage(p.q, p.from, p.upper, p.size); p.err != nil {
		return
	}
	p.end = len(p.page) < p.size
	p.size = min(p.size*pageGrowth, lastPage)
}
