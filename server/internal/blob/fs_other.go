//go:build !linux

package blob

// Allocate implements File.
func (f osFile) Allocate(int64) error { return nil }

// Sync implements File.
func (f osFile) Sync() error { return f.File.Sync() }
