package faultclient

import "io"

// faultyBody is a Get's body with a fault at the offset a.n.
type faultyBody struct {
	io.ReadCloser
	a       Action
	failure error
	off     int64
}

func (b *faultyBody) Read(p []byte) (int, error) {
	if b.a.kind != corrupt {
		if b.off >= b.a.n {
			return 0, b.end()
		}
		p = p[:min(int64(len(p)), b.a.n-b.off)]
	}
	n, err := b.ReadCloser.Read(p)
	if at := b.a.n - b.off; b.a.kind == corrupt && at >= 0 && at < int64(n) {
		p[at] ^= 0x20
	}
	b.off += int64(n)
	return n, err
}

func (b *faultyBody) end() error {
	if b.a.kind == truncate {
		return io.EOF
	}
	return b.failure
}
