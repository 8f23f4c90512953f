package pebbledb

import (
	"context"
	"fmt"
	"log/slog"
)

// logger hands Pebble's messages to slog. Pebble's news of flushes and compactions are for debugging only.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble calls it when its log cannot be written.
func (l logger) Fatalf(format string, args ...any) {
	message := "metadata cannot be written: " + fmt.Sprintf(format, args...)
	l.log.Error(message)
	panic(message)
}
