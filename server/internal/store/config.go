package store

import (
	"context"
	"fmt"
	"sync"

	"pail/server/internal/meta"
)

// ConfigKind names a document of a bucket's configuration: the sub-resource that sets it, and for those that a bucket
// has several of, "/" and the document's id. NB: kinds are in the database, and must not change.
type ConfigKind string

// The kinds that the semantics of the store, or several places, know.
const (
	ConfigTagging   ConfigKind = "tagging"
	ConfigCORS      ConfigKind = "cors"
	ConfigWebsite   ConfigKind = "website"
	ConfigLifecycle ConfigKind = "lifecycle"
	ConfigQuota     ConfigKind = "quota"
)

// Bounds of configurations.
const (
	MaxConfigSize = 1 << 20 // of one document, in bytes
	maxConfigKind = 256     // length of a kind, in bytes
)

// configRow is a document, as the client sent it or as its rules were written anew; the store does not look into it.
type configRow struct{ document []byte }

func (c configRow) encode() []byte {
	var e meta.Encoder
	e.Blob(1, c.document)
	return e.Bytes()
}

func decodeConfig(p []byte) (c configRow, err error) {
	d := meta.NewDecoder(p)
	for d.Next() {
		if d.Tag() == 1 {
			c.document = d.Blob()
		}
	}
	return c, d.Err()
}

// BucketConfig reads a document of the bucket's configuration. There being none is ErrNoSuchConfig.
func (s *Store) BucketConfig(ctx context.Context, bucket string, kind ConfigKind) (document []byte, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		if err != nil {
			return err
		}
		document, err = bucketConfig(r, b.id, kind)
		return err
	})
	return document, err
}

// bucketConfig is BucketConfig for what runs in a transaction.
func bucketConfig(r meta.Reader, b meta.BucketID, kind ConfigKind) ([]byte, error) {
	row, err := load(r, meta.ConfigKey(b, string(kind)), decodeConfig)
	return row.document, missing(err, ErrNoSuchConfig)
}

// SetBucketConfig sets a document of the bucket's configuration, in place of the one there was. The caller has
// validated it.
func (s *Store) SetBucketConfig(ctx context.Context, bucket string, kind ConfigKind, document []byte) error {
	if len(document) > MaxConfigSize || kind == "" || len(kind) > maxConfigKind {
		return fmt.Errorf("%w: configuration of %d bytes", ErrInvalidArgument, len(document))
	}
	return s.reconfigure(ctx, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		return save(x, meta.ConfigKey(b.id, string(kind)), configRow{document}.encode())
	})
}

// DeleteBucketConfig removes a document of the bucket's configuration. There being none is no error.
func (s *Store) DeleteBucketConfig(ctx context.Context, bucket string, kind ConfigKind) error {
	return s.reconfigure(ctx, func(x *tx) error {
		b, err := getBucket(x, bucket)
		if err != nil {
			return err
		}
		return x.Delete(meta.ConfigKey(b.id, string(kind)))
	})
}

// configCounter counts the changes of configurations, where several Stores share the database.
const configCounter = "configs"

// reconfigure is update for what changes a bucket or its configuration.
func (s *Store) reconfigure(ctx context.Context, fn func(*tx) error) error {
	defer s.configs.Add(1)
	return s.update(ctx, nil, func(x *tx) error {
		x.reconfigured = true
		return fn(x)
	})
}

// ConfigGeneration changes with each change of any bucket's configuration, before that change's call returns: what was
// read after it was the same is still true.
func (s *Store) ConfigGeneration(ctx context.Context) (n uint64, err error) {
	if !s.shared {
		return s.configs.Load(), nil
	}
	if pin, ok := ctx.Value(pinKey{}).(*pin); ok {
		pin.once.Do(func() { pin.n, pin.err = s.readGeneration(ctx) })
		return pin.n, pin.err
	}
	return s.readGeneration(ctx)
}

func (s *Store) readGeneration(ctx context.Context) (n uint64, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		n, err = counted(r, configCounter)
		return err
	})
	return n, err
}

type pinKey struct{}

// pin is the generation that a request goes by.
type pin struct {
	once sync.Once
	n    uint64
	err  error
}

// PinConfigs gives a context for one request: all of it goes by the ConfigGeneration that is asked for first, which is looked
// up in the database where there are several Stores.
func (s *Store) PinConfigs(ctx context.Context) context.Context {
	if !s.shared {
		return ctx
	}
	return context.WithValue(ctx, pinKey{}, new(pin))
}

// configGeneration is ConfigGeneration as the transaction sees it.
func (x *tx) configGeneration() (uint64, error) {
	if !x.store.shared {
		return x.store.configs.Load(), nil
	}
	return counted(x, configCounter)
}

// Config is a document of a bucket's configuration.
type Config struct {
	Kind     ConfigKind
	Document []byte
}

// BucketConfigs lists the documents whose kind begins with prefix, in order of kind, after the kind After (exclusive),
// at most limit of them; 0 means all.
func (s *Store) BucketConfigs(ctx context.Context, bucket, prefix, after string, limit int) (list []Config, more bool, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		b, err := getBucket(r, bucket)
		if err == nil {
			list, more, err = bucketConfigs(r, b.id, prefix, after, limit)
		}
		return err
	})
	return list, more, err
}

// DescribeBucket is HeadBucket and all documents of the bucket's configuration, of the same moment.
func (s *Store) DescribeBucket(ctx context.Context, name string) (b Bucket, list []Config, err error) {
	err = s.view(ctx, func(r meta.Reader) error {
		row, err := getBucket(r, name)
		if err == nil {
			b = row.bucket(name)
			list, _, err = bucketConfigs(r, row.id, "", "", 0)
		}
		return err
	})
	return b, list, err
}

func bucketConfigs(r meta.Reader, b meta.BucketID, prefix, after string, limit int) (list []Config, more bool, err error) {
	lower := meta.ConfigKey(b, prefix)
	it := r.Iter(lower, meta.PrefixEnd(lower))
	defer it.Close()
	ok := it.First()
	if after > prefix {
		ok = it.SeekGE(meta.ConfigKey(b, after+"\x00"))
	}
	for ; ok; ok = it.Next() {
		if limit > 0 && len(list) == limit {
			return list, true, nil
		}
		row, err := decodeRecord(it.Key(), it.Value(), decodeConfig)
		if err != nil {
			return nil, false, err
		}
		kind, _ := meta.ConfigKind(it.Key())
		list = append(list, Config{ConfigKind(kind), append([]byte(nil), row.document...)})
	}
	return list, false, it.Err()
}

// deleteConfigs removes all documents of a bucket that goes away.
func (x *tx) deleteConfigs(b meta.BucketID) error {
	prefix := meta.ConfigKey(b, "")
	it := x.Iter(prefix, meta.PrefixEnd(prefix))
	defer it.Close()
	var keys [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		keys = append(keys, append([]byte(nil), it.Key()...))
	}
	if err := it.Err(); err != nil {
		return err
	}
	for _, key := range keys {
		if err := x.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
