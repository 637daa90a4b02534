package console

import (
	"embed"
	"fmt"
	"strings"

	"github.com/seed-49a43567/switchboard/client"
)

// snippetFiles are programs that verify a signature, by scheme and language. A test runs them.
//
//go:embed snippets
var snippetFiles embed.FS

// What the snippets have in place of settings of the subscription.
const (
	snippetHeader = "X-Webhook-Signature"
	snippetPrefix = "sha256="
)

// snippetTab says how a receiver verifies what the subscription sends.
type snippetTab struct {
	Scheme   string
	Header   string // for a scheme with a custom header
	Prefix   string
	Keys     []string // public ones
	Secrets  []client.SigningSecret
	Note     string
	Snippets []snippet
}

// snippet is a program in one language.
type snippet struct {
	Language string
	Text     string
}

// languages are the languages of the snippets, each with the name of its file.
func languages() []struct{ name, file string } {
	return []struct{ name, file string }{
		{"Go", "go.txt"}, {"Node", "node.txt"}, {"Python", "python.txt"}, {"PHP", "php.txt"}, {"Ruby", "ruby.txt"}, {"Java", "java.txt"}, {"C#", "csharp.txt"}, {"openssl", "openssl.txt"},
	}
}

// snippetsOf returns the snippets for the subscription's scheme, with its header and prefix.
func snippetsOf(sub *client.Subscription) (snippetTab, error) {
	s := sub.Signature
	tab := snippetTab{Scheme: string(s.Scheme), Header: s.Header, Keys: s.PublicKeys, Secrets: s.Secrets}
	if s.Scheme == "none" {
		tab.Note = "Requests are not signed: anybody who knows the address can send requests that look like them."
		return tab, nil
	}
	for _, l := range languages() {
		text, err := snippetFiles.ReadFile("snippets/" + string(s.Scheme) + "/" + l.file)
		if err != nil {
			return tab, fmt.Errorf("console: there is no snippet of the scheme %s: %w", s.Scheme, err)
		}
		shown := string(text)
		if s.Scheme == "hmac-sha256-hex" {
			header := s.Header
			if header == "" {
				header = snippetHeader
			}
			shown = strings.NewReplacer(snippetHeader, header, strings.ToLower(snippetHeader), strings.ToLower(header), phpHeader(snippetHeader), phpHeader(header)).Replace(shown)
			if strings.ContainsFunc(s.Prefix, func(r rune) bool { return !strings.ContainsRune(plainLetters, r) }) {
				tab.Prefix = s.Prefix // some languages might have to escape it
			} else {
				shown = strings.ReplaceAll(shown, snippetPrefix, s.Prefix)
			}
		}
		tab.Snippets = append(tab.Snippets, snippet{l.name, shown})
	}
	return tab, nil
}

// plainLetters need no escaping in any of the languages.
const plainLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=-_.:, "

// phpHeader returns the name of a header in PHP and Ruby: HTTP_X_WEBHOOK_SIGNATURE.
func phpHeader(name string) string {
	return "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
