package switchboard

import (
	"fmt"
	"io"
	"log/slog"
)

// Mask replaces a secret wherever it would be shown. In a change, it means the stored value.
const Mask = "[redacted]"

// Secret is text that must not be shown: printing, logging or marshalling it gives a mask.
// [Secret.Reveal] is the only way to the text.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String masks the secret.
func (s Secret) String() string { return Mask }

// Format masks the secret under every verb: a wrong verb, such as %d, would otherwise print the
// text in its error.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// MarshalText masks the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// LogValue masks the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Mask) }
