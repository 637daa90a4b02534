package app

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// maxStandardLine limits the length of a line.
const maxStandardLine = 200

// standardLog receives the lines of the standard log. net/http writes there when receivers break
// the rules of HTTP. It quotes what a receiver sent, which may be an echo of our credentials, and a
// receiver may cause any number of lines. So a line is cut at its first quotation mark, and is
// logged at debug level.
type standardLog struct{ to *slog.Logger }

// tameStandardLog sends the standard log of the process to a standardLog.
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
