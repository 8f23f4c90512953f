package volume

import (
	"pail/fs/attr"
	"pail/fs/stage"
	"pail/fs/upload"
	"pail/s3client"
)

// passed sends what writing up to end has made whole of a large file, while it goes on, where the service can be told the
// attributes later. Not with a journal: there nothing is sent that it does not have, and nobody waits for it.
func (h *Handle) passed(file *stage.File, end int64) {
	n, v := h.n, h.n.v
	if !v.caps.CompleteMetadata || v.opt.Journal != nil || !v.opt.Upload.Streams(end) {
		return
	}
	if s := n.stream(h.c, file); s != nil {
		s.Passed(end)
	}
}

// stream returns the upload of c, which the first call makes; nil for what is not going to be stored.
func (n *Inode) stream(c *content, file *stage.File) *upload.Stream {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.mu.removed || c.abandoned || n.mu.content != c:
		return nil
	case c.stream == nil:
		path, _ := n.v.table.Path(n.node)
		opt := s3client.PutOptions{Meta: attr.Encode(n.mu.obj.attr, n.mu.obj.info.Meta), System: n.mu.obj.info.System}
		c.stream = n.v.opt.Upload.NewStream(file, n.v.keys.File(path), opt)
	}
	return c.stream
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
