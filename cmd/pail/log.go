package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"sync"

	"pail/cmd/internal/opt"
)

// logFile is a log file that can be opened anew, when something has moved it away.
type logFile struct {
	path string

	mu struct {
		sync.Mutex
		file *os.File
	}
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

// reopen opens the path again; the old file is kept when that fails.
func (l *logFile) reopen() error {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	l.mu.Lock()
	old := l.mu.file
	l.mu.file = file
	l.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write implements io.Writer.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.file.Write(p)
}

// logs is where a mount reports to.
type logs struct {
	log    *slog.Logger
	level  *slog.LevelVar
	reopen func() error // the log file, if there is one
	recent *recentLog   // for pail status
}

// openLogs opens the log that the options name: a file, or standard error in the foreground, or the system's log. A
// machine without system log is no reason not to mount.
func openLogs(m *opt.Mount, inBackground bool) (*logs, error) {
	l := &logs{level: &slog.LevelVar{}, reopen: func() error { return nil }, recent: &recentLog{}}
	l.level.Set(m.LogLevel)
	switch {
	case m.LogFile != "":
		file, err := openLogFile(m.LogFile)
		if err != nil {
			return nil, fmt.Errorf("log file cannot be opened: %w", err)
		}
		l.log, l.reopen = textLog(file, l.level, m.LogTime), file.reopen
	case inBackground:
		log, err := syslogLog(l.level)
		if err != nil {
			log = slog.New(slog.DiscardHandler)
		}
		l.log = log
	default:
		l.log = textLog(os.Stderr, l.level, m.LogTime)
	}
	if m.InstanceName != "" {
		l.log = l.log.With("instance", m.InstanceName)
	}
	l.log = slog.New(recentHandler{Handler: l.log.Handler(), log: l.recent})
	return l, nil
}

// louder lowers the level by one step, and from the lowest goes back to the highest.
func (l *logs) louder() {
	const step = slog.LevelInfo - slog.LevelDebug
	next := l.level.Level() - step
	if next < slog.LevelDebug {
		next = slog.LevelError
	}
	l.level.Set(next)
	l.log.Log(context.Background(), next, "log level changed", "level", next.String())
}

// textLog writes lines of key=value.
func textLog(w io.Writer, level slog.Leveler, withTime bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if !withTime {
		opts.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// syslogHandler sends each record to the system's log with the priority of its level.
type syslogHandler struct {
	slog.Handler // writes into line
	shared       *syslogLine
}

type syslogLine struct {
	sync.Mutex
	bytes.Buffer
	w *syslog.Writer
}

func syslogLog(level slog.Leveler) (*slog.Logger, error) {
	w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, "pail")
	if err != nil {
		return nil, err
	}
	line := &syslogLine{w: w}
	return slog.New(syslogHandler{Handler: textLog(&line.Buffer, level, false).Handler(), shared: line}), nil
}

// Handle implements slog.Handler.
func (h syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	h.shared.Lock()
	defer h.shared.Unlock()
	h.shared.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	line := h.shared.String()
	switch {
	case r.Level >= slog.LevelError:
		return h.shared.w.Err(line)
	case r.Level >= slog.LevelWarn:
		return h.shared.w.Warning(line)
	case r.Level >= slog.LevelInfo:
		return h.shared.w.Info(line)
	default:
		return h.shared.w.Debug(line)
	}
}

// WithAttrs implements slog.Handler.
func (h syslogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return syslogHandler{Handler: h.Handler.WithAttrs(attrs), shared: h.shared}
}

// WithGroup implements slog.Handler.
func (h syslogHandler) WithGroup(name string) slog.Handler {
	return syslogHandler{Handler: h.Handler.WithGroup(name), shared: h.shared}
}
