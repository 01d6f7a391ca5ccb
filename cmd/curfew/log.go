package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
)

// logHandler is a [slog.Handler] whose format and level can change while others log.
type logHandler struct {
	out  io.Writer
	now  *atomic.Pointer[slog.Handler] // shared by all that With and WithGroup made of one
	with []func(slog.Handler) slog.Handler
}

// logger logs to w. What [logHandler.set] changes later holds for everything that was made of it.
func (l logSettings) logger(w io.Writer) *slog.Logger {
	h := &logHandler{out: w, now: &atomic.Pointer[slog.Handler]{}}
	h.set(l)
	return slog.New(h)
}

func (h *logHandler) set(l logSettings) {
	options := &slog.HandlerOptions{Level: map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[l.Level]}
	var next slog.Handler = slog.NewTextHandler(h.out, options)
	if l.Format == "json" {
		next = slog.NewJSONHandler(h.out, options)
	}
	h.now.Store(&next)
}

// Enabled obeys [slog.Handler].
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return (*h.now.Load()).Enabled(ctx, level)
}

// Handle obeys [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	next := *h.now.Load()
	for _, with := range h.with {
		next = with(next)
	}
	return next.Handle(ctx, r) //nolint:wrapcheck // a logger has nobody to tell
}

// WithAttrs obeys [slog.Handler].
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

// WithGroup obeys [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	return h.and(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h *logHandler) and(with func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{h.out, h.now, append(slices.Clip(h.with), with)}
}
