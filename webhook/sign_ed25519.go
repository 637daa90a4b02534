package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
)

// ed25519Signature is the Ed25519 signature of id, timestamp and body, joined by dots.
func ed25519Signature(key ed25519.PrivateKey, id, timestamp string, body []byte) string {
	content := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	content = append(content, id+"."+timestamp+"."...)
	content = append(content, body...)
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, content))
}
