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

// sdkQuiet is how long the Temporal SDK says the same thing once only: in an outage
// each of its pollers, and each activity, says it anew.
const sdkQuiet = time.Minute

// SDKLog makes the log of the Temporal SDK, which reads like ours: messages begin in
// lower case and end without a full stop, and keys are in snake_case. A warning that
// repeats, or a line about an error, is counted and not written.
func SDKLog(log *slog.Logger) sdklog.Logger {
	return sdklog.NewStructuredLogger(slog.New(&sdkHandler{to: log.Handler(), said: &said{}}))
}

// sdkHandler rewrites what the SDK logs.
type sdkHandler struct {
	to   slog.Handler
	said *said
}

// longTask is the code of the SDK's warning that a workflow task took 5 s. A first attempt
// is made in one, so that each slow receiver would give a line beside the attempt's own.
const longTask = "[TMPRL1104]"

// Enabled reports whether the log takes that level.
func (h *sdkHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.to.Enabled(ctx, level)
}

// Handle writes a line, unless it has been said.
func (h *sdkHandler) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, longTask) {
		return nil
	}
	line := slog.NewRecord(r.Time, r.Level, plainly(r.Message), r.PC)
	if r.Level >= slog.LevelWarn || hasError(r) {
		repeated, quiet := h.said.again(line.Message, r.Time)
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

// hasError reports whether the line is about an error, as some are that are no warning.
func hasError(r slog.Record) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == "Error"
		return !found
	})
	return found
}

// WithAttrs is the handler with those attributes on each line.
func (h *sdkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	named := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		named[i] = slog.Attr{Key: snake(a.Key), Value: a.Value}
	}
	return &sdkHandler{to: h.to.WithAttrs(named), said: h.said}
}

// WithGroup is the handler with a group, of which the SDK makes none.
func (h *sdkHandler) WithGroup(name string) slog.Handler {
	return &sdkHandler{to: h.to.WithGroup(name), said: h.said}
}

// said remembers what was said lately. The SDK has a few dozen messages.
type said struct {
	mu       sync.Mutex
	messages map[string]*saying
}

type saying struct {
	at       time.Time
	repeated int
}

// again reports whether the message is to be kept quiet, and else how often it was since
// it was written.
func (s *said) again(message string, now time.Time) (repeated int, quiet bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[message]
	if m != nil && now.Sub(m.at) < sdkQuiet {
		m.repeated++
		return 0, true
	}
	if m != nil {
		repeated = m.repeated
	}
	if s.messages == nil || len(s.messages) > 1000 { // some messages hold an error's text
		s.messages = map[string]*saying{}
	}
	s.messages[message] = &saying{at: now}
	return repeated, false
}

// plainly writes the SDK's "Failed to poll for task." as we write ours.
func plainly(message string) string {
	message = strings.TrimSuffix(message, ".")
	first, size := utf8.DecodeRuneInString(message)
	if next, _ := utf8.DecodeRuneInString(message[size:]); unicode.IsUpper(next) {
		return message // an abbreviation
	}
	return string(unicode.ToLower(first)) + message[size:]
}

// snake writes the SDK's WorkflowID and "Stop timeout" as workflow_id and stop_timeout.
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
