package mountpoint

import (
	"path/filepath"

	"pail/fs/mountinfo"
)

// Resolve returns the absolute path of dir without symbolic links, as the mount table has it. It does not look into the
// directory itself more than it must, as that may be a dead mount.
func Resolve(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if _, mounted, err := mountinfo.Find(abs); err == nil && mounted {
		return abs, nil
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return abs, nil // the caller finds out what is wrong with it
	}
	return filepath.Join(parent, filepath.Base(abs)), nil
}
