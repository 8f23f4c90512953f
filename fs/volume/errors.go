package volume

import (
	"errors"
	"fmt"

	"pail/fs/journal"
	"pail/fs/stage"
)

// Why an operation was refused; match with errors.Is. What the service answered passes through as *s3client.Error.
var (
	ErrNotExist     = errors.New("does not exist")
	ErrExist        = errors.New("exists already")
	ErrNotEmpty     = errors.New("directory is not empty")
	ErrNotDir       = errors.New("is not a directory")
	ErrIsDir        = errors.New("is a directory")
	ErrStale        = errors.New("another client has replaced or removed it")
	ErrNoAttr       = errors.New("no such extended attribute")
	ErrNameTooLong  = errors.New("name is too long")
	ErrReadOnly     = errors.New("the mount is read-only")
	ErrInvalid      = errors.New("invalid argument")
	ErrNotSupported = errors.New("not supported")
	ErrNoSpace      = errors.New("no space")
	ErrTooBig       = errors.New("too big")
	ErrPermission   = errors.New("not permitted")
	ErrTooManyLinks = errors.New("has as many names as a file can have")
	ErrCrossDevice  = errors.New("cannot be done in one step")
	ErrBadHandle    = errors.New("the handle was not opened for this")
	ErrClosed       = errors.New("the volume is closed")
	ErrNotTold      = errors.New("the listing did not tell")
	ErrUnsent       = errors.New("not everything is on the service")
	ErrDamaged      = errors.New("the local disk has damaged what was written")
)

// named says of which file bytes are damaged on the local disk, if err says that some are.
func (n *Inode) named(err error) error {
	if !errors.Is(err, stage.ErrDamaged) && !errors.Is(err, journal.ErrDamaged) {
		return err
	}
	path, _ := n.v.table.Path(n.node)
	return fmt.Errorf("%w: %q: %w", ErrDamaged, path, err)
}
