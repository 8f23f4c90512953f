package readahead

import "context"

// lendFrom is the size of reads from which on copying them costs more than keeping account of a loan.
const lendFrom = chunkSize

// Loan is the result of a read whose bytes are where they were fetched to. They stay there until Return, which has to
// follow soon, as nobody else gets the memory before, and Close waits for it.
type Loan struct {
	src   *source
	parts [][]byte
	uses  []use
}

// Parts returns the bytes, in order.
func (l *Loan) Parts() [][]byte { return l.parts }

// Return ends the use of the bytes. It is called once.
func (l *Loan) Return() {
	l.giveBack()
	l.src.wg.Done()
}

// Lend implements Lender. Who holds memory must not wait for more: when all readers do so, nobody gets any. So where the
// read has to wait, it takes a copy first of what it has found until then.
func (s *source) Lend(ctx context.Context, p []byte, off int64) (int, *Loan, error) {
	if len(p) < lendFrom {
		n, err := s.ReadAt(ctx, p, off)
		return n, nil, err
	}
	random, err := s.enter(ctx, off, int64(len(p)))
	if err != nil {
		return 0, nil, err
	}
	l := &Loan{src: s}
	n, err := l.fill(ctx, s.within(p, off), off, random)
	if random {
		s.considerWhole()
	}
	if err != nil {
		l.Return()
		return 0, nil, err
	}
	return n, l, endOfFile(n, p)
}

// fill takes a loan of the bytes at off, or copies them to p.
func (l *Loan) fill(ctx context.Context, p []byte, off int64, random bool) (n int, err error) {
	for n < len(p) {
		at, left := off+int64(n), int64(len(p)-n)
		u, ok := l.src.useIfHere(at, left)
		if !ok {
			l.copyTo(p)
			if u, err = l.src.use(ctx, at, left, random); err != nil || u.n == 0 {
				if err = l.src.unuse(u, err); err != nil {
					return n, err
				}
				continue
			}
		}
		l.add(u)
		n += int(u.n)
	}
	return n, nil
}

// add takes a hold over.
func (l *Loan) add(u use) {
	l.uses = append(l.uses, u)
	for at, end := u.at, u.at+u.n; at < end; {
		part := chunkAt(u.chunks, at)
		part = part[:min(int64(len(part)), end-at)]
		l.parts = append(l.parts, part)
		at += int64(len(part))
	}
}

// copyTo ends the use of memory of the pool: the bytes are at the beginning of p then.
func (l *Loan) copyTo(p []byte) {
	if len(l.uses) == 0 {
		return
	}
	n := 0
	for _, part := range l.parts {
		n += copy(p[n:], part)
	}
	l.parts = append(l.parts[:0], p[:n])
	l.giveBack()
}

func (l *Loan) giveBack() {
	l.src.pool.mu.Lock()
	defer l.src.pool.mu.Unlock()
	for _, u := range l.uses {
		u.block.unpinLocked(u.n)
	}
	l.uses = nil
}
