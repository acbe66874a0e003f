package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// newLogHandler returns what the agent's log goes through on its way to a person:
// as text or as JSON, and with journald's levels and without the time of day where
// journald reads it, which notes that itself.
func newLogHandler(w io.Writer, format string, journal bool, level slog.Leveler) slog.Handler {
	o := &slog.HandlerOptions{Level: level}
	if !journal {
		return newFormat(w, format, o)
	}
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}
	line := &bytes.Buffer{}
	return journalHandler{newFormat(line, format, o), &journalLine{w: w, line: line}}
}

func newFormat(w io.Writer, format string, o *slog.HandlerOptions) slog.Handler {
	if format == "json" {
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}

// journalHandler begins each line with its level as sd-daemon(3) has it: <4>.
type journalHandler struct {
	slog.Handler
	*journalLine
}

// journalLine is what all handlers that are derived from one share.
type journalLine struct {
	mu   sync.Mutex
	w    io.Writer
	line *bytes.Buffer // the record that is being written
}

func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.line.Reset()
	h.line.WriteString(priority(r.Level))
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.w.Write(h.line.Bytes())
	return err
}

func (h journalHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return journalHandler{h.Handler.WithAttrs(a), h.journalLine}
}

func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.Handler.WithGroup(name), h.journalLine}
}

func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}
