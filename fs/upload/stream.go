package upload

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"pail/fs/readahead"
	"pail/fs/stage"
	"pail/s3client"
)

// Stream is the upload of a file that is still being written. Parts that are whole are sent in the background, and Commit
// sends the rest, what has changed since, and the metadata. It needs s3client.Capabilities.CompleteMetadata. Parts are read
// from the file's local data when they are sent, so nothing is buffered, and no writer waits.
//
// Methods are safe for concurrent use. Commit or Abort end it; both may be called several times, and then do what is said
// there of a stream that is over.
type Stream struct {
	u    *Uploader
	file *stage.File
	key  string
	opt  s3client.PutOptions
	grid grid

	ctx   context.Context // of the requests; ends with stop
	stop  context.CancelCauseFunc
	slots chan struct{} // one token for each part in flight
	work  sync.WaitGroup

	once     sync.Once     // guards the beginning
	began    chan struct{} // closed when what follows is valid
	upload   s3client.Upload
	beginErr error

	mu struct { // taken before the locks of the file
		sync.Mutex
		parts   map[int]*sending // by number
		running running
		begun   bool // a part was to be sent, so there may be an upload
		over    bool // nothing is sent any more but by Commit
	}
}

// sending is a part that is sent. The fields are valid once done is closed.
type sending struct {
	done chan struct{}
	part s3client.Part
	err  error
}

var errStreamOver = errors.New("the upload is over")

// NewStream returns the upload of a file as key, which begins with the first part that is sent; nil where there is no
// multipart upload. opt is what a listing of unfinished uploads may show.
func (u *Uploader) NewStream(file *stage.File, key string, opt s3client.PutOptions) *Stream {
	if u.noMultipart {
		return nil
	}
	s := &Stream{u: u, file: file, key: key, opt: opt, grid: newGrid(u.lim), slots: make(chan struct{}, u.parallel)}
	s.began = make(chan struct{})
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.mu.parts, s.mu.running.grid = map[int]*sending{}, s.grid
	return s
}

// Streams reports whether a file that is written up to end becomes a multipart upload whatever is written later.
func (u *Uploader) Streams(end int64) bool { return !u.noMultipart && end > u.threshold }

// Wrote says that p was just written at off; no other write to the file may come before Wrote has returned. The parts before
// the end of it that are whole are sent: back to one that was sent before, or has bytes that were not written.
func (s *Stream) Wrote(p []byte, off int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.over {
		return
	}
	sums := s.mu.running.add(p, off)
	last := s.grid.before(off + int64(len(p)))
	n := last
	for ; n > 0 && s.mu.parts[n] == nil; n-- {
		if p := s.grid.cell(n); !s.file.Watch(p.off, p.len) {
			break
		}
	}
	for n++; n <= last; n++ {
		p := numbered{s.grid.cell(n), n}
		r := &body{ReadSeeker: s.file.WatchedReader(s.ctx, p.off, p.len), sum: sums[n]}
		s.mu.begun = true
		s.mu.parts[n] = s.send(nil, func(up s3client.Upload) (s3client.Part, error) {
			return s.sendPart(up, p, r)
		})
	}
}

// Disturbed says that the file was changed otherwise than by a write that succeeded.
func (s *Stream) Disturbed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.running.valid = false
}

// send stores a part in the background, once another attempt of the same has ended, if there was one.
func (s *Stream) send(earlier *sending, store func(s3client.Upload) (s3client.Part, error)) *sending {
	one := &sending{done: make(chan struct{})}
	s.work.Go(func() {
		defer close(one.done)
		if earlier != nil {
			<-earlier.done
		}
		one.part, one.err = s.inSlot(store)
		if one.err != nil && !errors.Is(one.err, stage.ErrChanged) {
			s.stop(one.err) // the others need not go on
		}
	})
	return one
}

// begin begins the upload, once. The request is not broken off, as nobody would know the upload that the service may have
// begun; but nobody waits for it when the requests are to end: Abort sees to what comes of it.
func (s *Stream) begin() (s3client.Upload, error) {
	s.once.Do(func() {
		go func() {
			defer close(s.began)
			s.upload, s.beginErr = s.u.client.NewUpload(context.WithoutCancel(s.ctx), s.key, s.opt)
		}()
	})
	select {
	case <-s.began:
		return s.upload, s.beginErr
	case <-s.ctx.Done():
		return nil, context.Cause(s.ctx)
	}
}

// inSlot stores a part when its turn has come.
func (s *Stream) inSlot(store func(s3client.Upload) (s3client.Part, error)) (s3client.Part, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
	}
	if s.ctx.Err() != nil {
		return s3client.Part{}, context.Cause(s.ctx)
	}
	up, err := s.begin()
	if err != nil {
		return s3client.Part{}, err
	}
	return store(up)
}

func (s *Stream) sendPart(up s3client.Upload, p numbered, b *body) (s3client.Part, error) {
	done, err := up.Part(s.ctx, p.n, b)
	return done, b.explain(err)
}

// Commit is Uploader.Commit for a snapshot of the file, which is held until then: it sends what was not sent yet, or has
// changed since. What is written to the file meanwhile makes no difference. Where the stream is over, or the service has lost it, or the file is not one for it any more, or has another key, that is what it
// does. It ends the stream.
func (s *Stream) Commit(ctx context.Context, key string, snap Snapshot, base *s3client.ObjectInfo, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	u := s.u
	whole := func() (s3client.ObjectInfo, error) {
		s.Abort()
		return u.Commit(ctx, key, snap, base, opt)
	}
	if !s.take() || key != s.key || !u.Streams(snap.Size()) || snap.Size() > s.grid.size() {
		return whole()
	}
	info, err := s.finish(ctx, snap, base, opt)
	switch {
	case err == nil:
		s.end()
		u.tidy()
		return complete(info, key, snap.Size(), opt), nil
	case ctx.Err() == nil && s.lost(err):
		u.log.Debug("a file is sent again, as the upload that began while it was written has failed", "key", key, "err", err)
		return whole()
	}
	s.Abort()
	return s3client.ObjectInfo{}, err
}

// take ends the sending in the background; it reports false if there is nothing to go on with.
func (s *Stream) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	usable := s.mu.begun && !s.mu.over && s.ctx.Err() == nil
	s.mu.over = true
	return usable
}

// lost reports whether an error says nothing of the object, but only of this upload: that it is gone, or that a part is another
// by now, as a request for an earlier state of it that got no answer was done late.
func (s *Stream) lost(err error) bool {
	var e *s3client.Error
	if errors.As(err, &e) && (e.Code == "NoSuchUpload" || e.Code == "InvalidPart") {
		return true
	}
	return errors.Is(err, s3client.ErrUnsupported)
}

// finish sends what is missing and completes the upload.
func (s *Stream) finish(ctx context.Context, snap Snapshot, base *s3client.ObjectInfo, opt s3client.PutOptions) (s3client.ObjectInfo, error) {
	defer context.AfterFunc(ctx, func() { s.stop(context.Cause(ctx)) })()
	lim := s.u.lim
	if s.u.noMix || s.u.noCopy || !copyable(base) {
		lim.copied = 0
	}
	grid := s.grid.parts(snap.Size(), snap.Extents(), lim)
	all := make([]*sending, len(grid))
	for i, p := range grid {
		all[i] = s.part(p, snap, base)
	}
	for i, p := range grid {
		if <-all[i].done; errors.Is(all[i].err, stage.ErrChanged) { // since it was found to be as in snap
			all[i] = s.sendFrozen(p, snap, base, all[i])
		}
	}
	s.work.Wait()
	parts := make([]s3client.Part, len(all))
	for i, one := range all {
		parts[i] = one.part
		if one.err != nil {
			return s3client.ObjectInfo{}, cmp.Or(context.Cause(s.ctx), one.err)
		}
	}
	up, err := s.begin()
	if err != nil {
		return s3client.ObjectInfo{}, err
	}
	return up.Complete(ctx, parts, &opt)
}

// part returns the part that was sent, or sends it.
func (s *Stream) part(p numbered, snap Snapshot, base *s3client.ObjectInfo) *sending {
	s.mu.Lock()
	earlier := s.mu.parts[p.n]
	s.mu.Unlock()
	if earlier != nil && !p.copied && p.len == s.grid.cell(p.n).len && s.file.Watched(p.off, p.len) {
		return earlier
	}
	return s.sendFrozen(p, snap, base, earlier)
}

// sendFrozen sends a part of a snapshot, whatever was sent before in its place.
func (s *Stream) sendFrozen(p numbered, snap Snapshot, base *s3client.ObjectInfo, earlier *sending) *sending {
	return s.send(earlier, func(up s3client.Upload) (s3client.Part, error) {
		if p.copied {
			return up.CopyPart(s.ctx, p.n, base.Key, s3client.Range{Off: p.off, Len: p.len}, base.ETag)
		}
		return s.sendPart(up, p, &body{ReadSeeker: snap.Reader(readahead.Until(s.ctx, p.end()), p.off, p.len)})
	})
}

// Abort gives the upload up, in the background; of one that is complete there is nothing to give up.
func (s *Stream) Abort() {
	if !s.end() {
		return
	}
	s.u.work.Go(func() {
		s.work.Wait()
		s.once.Do(func() { s.beginErr = errStreamOver; close(s.began) }) // no part has come so far
		<-s.began
		if s.beginErr == nil {
			s.u.abort(context.Background(), s.key, s.upload)
		}
	})
}

// end stops everything; it reports whether there may be an upload.
func (s *Stream) end() (begun bool) {
	s.mu.Lock()
	begun = s.mu.begun
	s.mu.over, s.mu.begun = true, false
	s.mu.Unlock()
	s.stop(errStreamOver)
	return begun
}
