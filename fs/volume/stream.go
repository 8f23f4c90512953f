package volume

import (
	"pail/fs/attr"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/s3client"
)

// streams reports whether large files are sent while they are written: where the service can be told the attributes later.
// Not with a journal: there nothing is sent that it does not have, and nobody waits for it.
func (v *Volume) streams() bool { return v.caps.CompleteMetadata && v.opt.Journal == nil }

// wrote sends what writing p at off has made whole of a large file, while it goes on. The caller has content.order.
func (h *Handle) wrote(file *stage.File, p []byte, off int64) {
	if s := h.stream(file, off+int64(len(p))); s != nil {
		s.Wrote(p, off)
	}
}

// stream returns the upload of a file that was written up to end, which is made here if it is large; nil for what is not
// large, or not going to be stored.
func (h *Handle) stream(file *stage.File, end int64) *upload.Stream {
	n, c, v := h.n, h.c, h.n.v
	if !v.streams() {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.stream != nil || !v.upload.Streams(end) || n.mu.removed || c.abandoned || n.mu.content != c {
		return c.stream
	}
	path, _ := v.table.Path(n.node)
	opt := s3client.PutOptions{Meta: attr.Encode(n.mu.obj.attr, n.mu.obj.info.Meta), System: n.mu.obj.info.System}
	c.stream = v.upload.NewStream(file, v.keys.File(path), opt)
	return c.stream
}

// disturbed says that the file was changed otherwise than by a write, and is of a size now. The caller has content.order.
func (h *Handle) disturbed(size int64) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	switch c := h.c; {
	case c.stream == nil:
	case h.n.v.upload.Streams(size):
		c.stream.Disturbed()
	default:
		c.dropStreamLocked()
	}
}

// takeStream returns the upload that has begun while c was written, if there is one, for the commit that ends it.
func (n *Inode) takeStream(c *content) *upload.Stream {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := c.stream
	c.stream = nil
	return s
}

// dropStreamLocked gives up the upload of what will not be stored as it is.
func (c *content) dropStreamLocked() {
	if c.stream != nil {
		c.stream.Abort()
		c.stream = nil
	}
}

// dropStreams gives up the uploads of files that could not be stored.
func (v *Volume) dropStreams() {
	for _, n := range v.openInodes() {
		n.mu.Lock()
		if c := n.mu.content; c != nil {
			c.dropStreamLocked()
		}
		n.mu.Unlock()
	}
}
