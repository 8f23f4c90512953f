package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// recentLines is how many warnings and errors a mount remembers for pail status.
const recentLines = 5

// recentLine is a warning or an error.
type recentLine struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// recentLog remembers the last warnings and errors. The zero value is ready.
type recentLog struct {
	mu struct {
		sync.Mutex
		lines []recentLine
	}
}

func (l *recentLog) add(line recentLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.mu.lines); n == recentLines {
		l.mu.lines = slices.Delete(l.mu.lines, 0, 1)
	}
	l.mu.lines = append(l.mu.lines, line)
}

// last returns what is remembered, oldest first; never nil.
func (l *recentLog) last() []recentLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]recentLine{}, l.mu.lines...)
}

// recentHandler passes records on, and remembers warnings and errors, whatever the log's own level.
type recentHandler struct {
	slog.Handler
	log *recentLog
}

// Enabled implements slog.Handler.
func (h recentHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h recentHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		h.log.add(recentLine{r.Time, recordText(r)})
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// recordText is the message with its attributes, in one line.
func recordText(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(" " + a.Key + "=" + plain(a.Value.String()))
		return true
	})
	return oneLine(b.String())
}

// WithAttrs implements slog.Handler.
func (h recentHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return recentHandler{Handler: h.Handler.WithAttrs(attrs), log: h.log}
}

// WithGroup implements slog.Handler.
func (h recentHandler) WithGroup(name string) slog.Handler {
	return recentHandler{Handler: h.Handler.WithGroup(name), log: h.log}
}
