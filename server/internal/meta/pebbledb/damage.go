package pebbledb

import (
	"bytes"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"pail/server/internal/meta"
)

// damaged gives Pebble's error about a file that is not as it was written the name that package meta has for it. key is
// what was asked for; without one, the rows of the whole file are in doubt.
func damaged(err error, key []byte) error {
	if err == nil || !pebble.IsCorruptionError(err) {
		return err
	}
	d := &meta.DamagedError{Key: bytes.Clone(key), Reason: err.Error()}
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		d.Reason = info.Details.Error()
		if key == nil {
			d.Key, d.End = bytes.Clone(info.Bounds.Start), bytes.Clone(info.Bounds.End.Key)
		}
	}
	return d
}

// reportDamage logs damage of a file. Without it Pebble would end the process, and with it all the objects that are well.
func reportDamage(log *slog.Logger) pebble.EventListener {
	return pebble.EventListener{DataCorruption: func(info pebble.DataCorruptionInfo) {
		log.Error("metadata file is damaged; pail serve --fsck tells what is in it", "file", info.Path, "err", info.Details.Error()) // without its stack
	}}
}
