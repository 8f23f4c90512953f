package readahead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"pail/s3client"
)

// Defaults of Options.
const (
	DefaultMemoryLimit = 128 << 20
	DefaultBlockSize   = 8 << 20
	DefaultMaxWindow   = 8

	smallBudget    = 64 << 20 // below it, blocks are smallBlockSize by default
	smallBlockSize = 4 << 20
	minChunks      = 4 // of a pool
)

// ErrClosed is what reads of a closed source get.
var ErrClosed = os.ErrClosed

// Options configure a Pool. Sizes are bytes; zero values take the defaults.
type Options struct {
	Client      s3client.Client
	MemoryLimit int64 // for the data of all sources together; at least 512 KiB
	BlockSize   int64 // largest request; at most a quarter of MemoryLimit
	MaxWindow   int   // blocks that one sequential reader may have under way
	Keeper      Keeper
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger
}

// Keeper gets what a Pool has fetched, to have it nearer the next time.
type Keeper interface {
	// Keep is called for one block at a time, and must not use data after it returns; what it cannot keep is its own
	// business. data are the bytes of a version from off on.
	Keep(id ObjectID, off int64, data [][]byte)
	// Client returns a client that reads what is kept, and the rest from next.
	Client(next s3client.Client) s3client.Client
	// Missing returns what is not kept of a version, in order, in pieces that begin where chunks of 128 KiB do; nothing
	// if it is all there, or is not to be kept whole.
	Missing(id ObjectID) []s3client.Range
}

// ObjectID names one version of an object. With an empty ETag only its size tells a changed object.
type ObjectID struct {
	Key  string
	ETag s3client.ETag
	Size int64
}

// Source reads one object version. It is safe for concurrent use.
type Source interface {
	// ReadAt reads as io.ReaderAt does; io.EOF comes with fewer bytes than asked for. It returns at once when ctx ends.
	// An error matching s3client.ErrPrecondition says that the version is not there any more.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	// Close cancels what is under way, waits for it and frees the memory. Reads in progress fail with ErrClosed.
	Close() error
}

// Lender is what the sources of a Pool are too.
type Lender interface {
	// Lend is ReadAt that leaves the bytes where they are: in the loan, or in p where that is nil.
	Lend(ctx context.Context, p []byte, off int64) (int, *Loan, error)
}

// Until returns a context for reads that go on in order up to end and no further: all up to it is fetched ahead from the
// first of them on, and nothing behind it.
func Until(ctx context.Context, end int64) context.Context {
	return context.WithValue(ctx, endKey{}, end)
}

type endKey struct{}

// endOf returns how far the reads of a context go.
func endOf(ctx context.Context) int64 {
	if end, ok := ctx.Value(endKey{}).(int64); ok {
		return end
	}
	return math.MaxInt64
}

// Pool makes sources that share a memory budget. It is safe for concurrent use.
type Pool struct {
	client    s3client.Client
	log       *slog.Logger
	blockSize int64
	window    int64 // bytes that one stream may have ahead of its reader
	keeper    *keeper
	pace      *pace

	mu struct {
		sync.Mutex
		closed  bool
		sources map[*source]struct{}
		whole   *source // that has parts of a whole under way; one at a time
		memory
	}
}

// NewPool returns a Pool. It takes memory only when it is needed.
func NewPool(o Options) *Pool {
	limit := max(withDefault(o.MemoryLimit, DefaultMemoryLimit)/chunkSize, minChunks)
	block := o.BlockSize
	switch {
	case block > 0:
	case limit*chunkSize < smallBudget:
		block = smallBlockSize
	default:
		block = DefaultBlockSize
	}
	blockChunks := min(max(block/chunkSize, 1), limit/4)
	p := &Pool{log: o.Log, blockSize: blockChunks * chunkSize, keeper: newKeeper(o.Keeper, limit)}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p.pace = newPace(o.Now)
	p.client = paced{o.Client, p.pace}
	if o.Keeper != nil {
		p.client = o.Keeper.Client(p.client)
	}
	p.mu.sources = map[*source]struct{}{}
	p.mu.memory = newMemory(int(limit), mapSlab)
	room := int64(p.mu.limit-p.mu.reserve)*chunkSize - p.blockSize // one block is being read
	p.window = min(int64(withDefault(int64(o.MaxWindow), DefaultMaxWindow))*p.blockSize, room)
	return p
}

func withDefault(v, def int64) int64 {
	if v <= 0 {
		return def
	}
	return v
}

// Open returns a source of the object version id. It asks nothing of the service.
func (p *Pool) Open(id ObjectID) Source {
	s := &source{pool: p, id: id}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		s.cancel()
		s.closed = true
		return s
	}
	p.mu.sources[s] = struct{}{}
	return s
}

// Close closes all sources, waits until what they have fetched is kept, and gives the memory back.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.mu.closed = true
	sources := make([]*source, 0, len(p.mu.sources))
	for s := range p.mu.sources {
		sources = append(sources, s)
	}
	p.mu.Unlock()
	var errs []error
	for _, s := range sources {
		errs = append(errs, s.Close())
	}
	p.keeper.blocks.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.mu.release(); err != nil {
		errs = append(errs, fmt.Errorf("free block memory: %w", err))
	}
	return errors.Join(errs...)
}
