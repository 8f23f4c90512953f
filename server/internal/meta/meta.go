package meta

import (
	"context"
	"errors"
)

var (
	// ErrNotFound means that no row has the key.
	ErrNotFound = errors.New("meta: no such row")
	// ErrClosed means that the database was closed.
	ErrClosed = errors.New("meta: database is closed")
	// ErrNoSpace means that a write was refused because too little room is left for it. Nothing was changed.
	ErrNoSpace = errors.New("meta: no space left for metadata")
	// ErrVersion means that the database holds a key layout or record format that this program does not know.
	ErrVersion = errors.New("meta: unknown format version")
	// ErrSuperseded means that another process has taken the database over. What the transaction did, or saw, counts for
	// nothing.
	ErrSuperseded = errors.New("meta: another process has taken the database over")
	// ErrUnavailable means that the database was not reached, or did not answer in time.
	ErrUnavailable = errors.New("meta: the database cannot be reached")
	// ErrLocked means that another process uses the database.
	ErrLocked = errors.New("meta: in use by another process")
)

// DB is an ordered key-value store with transactions. All methods are safe for concurrent use.
type DB interface {
	// View runs fn over one consistent snapshot, in which is every Update that has returned, and nothing that is not
	// durable. The Reader and its iterators end with fn.
	View(ctx context.Context, fn func(Reader) error) error

	// Update runs fn in a serializable transaction and makes it durable: when it returns nil, the writes of fn, and
	// all writes that fn could see, survive a power cut. It may run fn again; so fn must have no effect but through
	// its Txn. When fn returns an error, nothing is written and Update returns that error, once all
	// that fn could see is durable. Any other error leaves open whether the writes took place.
	Update(ctx context.Context, fn func(Txn) error) error

	// Close waits for running transactions; later ones fail with ErrClosed. It may be called twice.
	Close() error
}

// Messenger is a DB that several processes share. The Txn of its Updates is a Sender.
type Messenger interface {
	DB
	// Receive hands over every message that a transaction of any process, this one too, has sent, in the order of the
	// transactions. up is called when this begins, and down when it ends for a while, for messages may be lost then. One
	// call of the three runs at a time. It returns when ctx has ended.
	Receive(ctx context.Context, message func([]byte), up, down func())
}

// Sender sends messages.
type Sender interface {
	// Send sends a message, of 5000 bytes at most, if and when the transaction is committed.
	Send(message []byte)
}

// Reader reads rows. It is for one goroutine.
type Reader interface {
	// Get returns the value of key, which the caller owns, or ErrNotFound.
	Get(key []byte) ([]byte, error)

	// Iter iterates over lower <= key < upper in ascending byte order. A nil bound is open. The caller closes the
	// iterator. Rows that a Txn writes while one of its iterators is open may or may not be seen by that iterator.
	Iter(lower, upper []byte) Iterator
}

// Iterator is unpositioned at first. The methods that move it report whether it is on a row now; when they say no,
// Err tells a failure from the end.
type Iterator interface {
	First() bool
	// SeekGE moves to the first row with that key or a greater one within the bounds.
	SeekGE(key []byte) bool
	Next() bool
	Valid() bool
	// Key and Value are valid until the next move, and must not be changed.
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}

// Txn is a Reader that sees its own writes. Set and Delete keep no reference to their arguments. Deleting a key that
// is not there is no error.
type Txn interface {
	Reader
	Set(key, value []byte) error
	Delete(key []byte) error
}
