package switchboard

import (
	"fmt"
	"io"
	"log/slog"
)

// Mask stands wherever a secret would be shown. Sent back in a change, it means
// the value that is stored.
const Mask = "[redacted]"

// Secret is text that must not be seen: printing, logging or marshalling it gives
// a mask. [Secret.Reveal] is the only way to the text.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String masks the secret.
func (s Secret) String() string { return Mask }

// Format masks the secret under every verb: a verb that does not fit, as %d, would
// otherwise print the text in its complaint.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// MarshalText masks the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// LogValue masks the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Mask) }
