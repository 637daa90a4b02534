package temporalserver

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// serverLog sends the server's warnings and errors to slog. Lower levels are about the server's
// internals and would hide our own lines. It is silent after Stop, because connections within the
// server outlive it for a while and cause errors.
type serverLog struct {
	to     *slog.Logger
	silent *atomic.Bool
}

// fatal is the value with which a server panics that cannot continue. The server's own logger would
// end the process without telling the embedding program.
type fatal struct{ message string }

func (f fatal) Error() string { return f.message }

// recoverFatal turns a panic with [fatal] into an error.
func recoverFatal(err *error) {
	switch cause := recover().(type) {
	case nil:
	case fatal:
		*err = fmt.Errorf("temporal: %w", cause)
	default:
		panic(cause)
	}
}

func (l serverLog) Debug(string, ...tag.Tag)               {}
func (l serverLog) Info(string, ...tag.Tag)                {}
func (l serverLog) Warn(message string, tags ...tag.Tag)   { l.log(slog.LevelWarn, message, tags) }
func (l serverLog) Error(message string, tags ...tag.Tag)  { l.log(slog.LevelError, message, tags) }
func (l serverLog) DPanic(message string, tags ...tag.Tag) { l.log(slog.LevelError, message, tags) }

func (l serverLog) Panic(message string, tags ...tag.Tag) {
	l.log(slog.LevelError, message, tags)
	panic(message)
}

func (l serverLog) Fatal(message string, tags ...tag.Tag) {
	l.log(slog.LevelError, message, tags)
	for _, t := range tags {
		message += fmt.Sprintf(", %s: %v", t.Key(), t.Value())
	}
	panic(fatal{message})
}

// With adds the tags to every following line.
func (l serverLog) With(tags ...tag.Tag) log.Logger {
	return serverLog{slog.New(l.to.Handler().WithAttrs(attributes(tags))), l.silent}
}

func (l serverLog) log(level slog.Level, message string, tags []tag.Tag) {
	if !l.silent.Load() && l.to.Enabled(context.Background(), level) {
		l.to.LogAttrs(context.Background(), level, message, attributes(tags)...)
	}
}

func attributes(tags []tag.Tag) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(tags))
	for _, t := range tags {
		attrs = append(attrs, slog.Any(t.Key(), t.Value()))
	}
	return attrs
}
