package app

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// maxStandardLine bounds what is kept of a line.
const maxStandardLine = 200

// standardLog is where lines of the standard log go, which net/http writes when it meets
// receivers that break the rules of HTTP. It quotes there what a receiver sent, which may
// be an echo of our credentials, and a receiver may bring about as many lines as it likes.
// So a line ends before its first quotation mark, and is one for developers.
type standardLog struct{ to *slog.Logger }

// tameStandardLog sends the standard log of the process to that one.
func tameStandardLog(to *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(standardLog{to})
}

// Write implements [io.Writer].
func (s standardLog) Write(line []byte) (int, error) {
	if ctx := context.Background(); s.to.Enabled(ctx, slog.LevelDebug) {
		text, _, _ := bytes.Cut(line, []byte(`"`))
		text = bytes.TrimSpace(text[:min(len(text), maxStandardLine)])
		s.to.DebugContext(ctx, "a library says", "text", string(bytes.ToValidUTF8(text, nil)))
	}
	return len(line), nil
}
