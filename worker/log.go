package worker

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	sdklog "go.temporal.io/sdk/log"
)

// sdkRepeatAfter is how long a message of the Temporal SDK is not repeated. In an outage, every
// poller and every activity of the SDK logs the same message.
const sdkRepeatAfter = time.Minute

// SDKLog adapts the log of the Temporal SDK to ours: messages begin in lower case and end without a
// full stop, and keys are in snake_case. Repeated warnings and lines about errors are counted
// instead of written.
func SDKLog(log *slog.Logger) sdklog.Logger {
	return sdklog.NewStructuredLogger(slog.New(&sdkHandler{to: log.Handler(), repeats: &repeats{}}))
}

// sdkHandler rewrites what the SDK logs.
type sdkHandler struct {
	to      slog.Handler
	repeats *repeats
}

// longTask is the code of the SDK's warning that a workflow task took 5 s. First attempts run in
// workflow tasks, so each slow receiver would add a line to the attempt's own.
const longTask = "[TMPRL1104]"

// Enabled reports whether the log has that level.
func (h *sdkHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.to.Enabled(ctx, level)
}

// Handle writes a line, unless it repeats another.
func (h *sdkHandler) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, longTask) {
		return nil
	}
	line := slog.NewRecord(r.Time, r.Level, plainly(r.Message), r.PC)
	if r.Level >= slog.LevelWarn || hasError(r) {
		repeated, quiet := h.repeats.count(line.Message, r.Time)
		if quiet {
			return nil
		}
		if repeated > 0 {
			line.AddAttrs(slog.Int("repeated", repeated))
		}
	}
	r.Attrs(func(a slog.Attr) bool {
		line.AddAttrs(slog.Attr{Key: snake(a.Key), Value: a.Value})
		return true
	})
	return h.to.Handle(ctx, line)
}

// hasError reports whether the line is about an error, which some lines below warning are.
func hasError(r slog.Record) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == "Error"
		return !found
	})
	return found
}

// WithAttrs returns the handler with those attributes on each line.
func (h *sdkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	named := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		named[i] = slog.Attr{Key: snake(a.Key), Value: a.Value}
	}
	return &sdkHandler{to: h.to.WithAttrs(named), repeats: h.repeats}
}

// WithGroup returns the handler with a group. The SDK makes none.
func (h *sdkHandler) WithGroup(name string) slog.Handler {
	return &sdkHandler{to: h.to.WithGroup(name), repeats: h.repeats}
}

// repeats counts the messages that were not written because they repeat another one. The SDK has a
// few dozen messages.
type repeats struct {
	mu       sync.Mutex
	messages map[string]*message
}

type message struct {
	at       time.Time
	repeated int
}

// count reports whether the message is a repetition, and otherwise how many repetitions were
// dropped since it was last written.
func (r *repeats) count(text string, now time.Time) (repeated int, quiet bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.messages[text]
	if m != nil && now.Sub(m.at) < sdkRepeatAfter {
		m.repeated++
		return 0, true
	}
	if m != nil {
		repeated = m.repeated
	}
	if r.messages == nil || len(r.messages) > 1000 { // some messages hold an error's text
		r.messages = map[string]*message{}
	}
	r.messages[text] = &message{at: now}
	return repeated, false
}

// plainly turns the SDK's "Failed to poll for task." into our style.
func plainly(message string) string {
	message = strings.TrimSuffix(message, ".")
	first, size := utf8.DecodeRuneInString(message)
	if next, _ := utf8.DecodeRuneInString(message[size:]); unicode.IsUpper(next) {
		return message // an abbreviation
	}
	return string(unicode.ToLower(first)) + message[size:]
}

// snake turns the SDK's WorkflowID and "Stop timeout" into workflow_id and stop_timeout.
func snake(key string) string {
	var b strings.Builder
	lower := false // whether the rune before was a lower-case letter
	for _, r := range key {
		if r == ' ' || r == '-' {
			r = '_'
		}
		if unicode.IsUpper(r) && lower {
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r) || unicode.IsDigit(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
