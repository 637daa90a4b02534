package switchboard_test

import (
	"testing"

	"github.com/seed-49a43567/switchboard"
)

func TestCheckConsolePath(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]bool{
		"/console":            true,
		"/console/deliveries": true,
		"/console/deliveries/dlv_1?state=failed&after=2026-01-31T12%3A00%3A00Z": true,
		"/console/search?q=%2F%2Fevil":                                          true,

		"":                                false,
		"/":                               false,
		"/v1/deliveries":                  false,
		"/consoles":                       false,
		"console/deliveries":              false,
		"//evil.example.com":              false,
		"//evil.example.com/console/":     false,
		"/console//evil.example.com":      false,
		"///evil.example.com":             false,
		"https://evil.example.com":        false,
		"https:evil.example.com/console/": false,
		"https:/console/":                 false,
		`/\evil.example.com`:              false,
		`\/evil.example.com`:              false,
		`/console/\evil.example.com`:      false,
		"/console/%5cevil":                false,
		"/\t/evil.example.com":            false,
		"/console/\r\nSet-Cookie: a=b":    false,
		"/console/\x00":                   false,
		"/console/../v1/keys":             false,
		"/console/%2e%2e/v1/keys":         false,
		"/console/%2f%2fevil":             false,
		"/console/x#fragment":             false,
		"javascript:alert(1)":             false,
		"/console@evil.example.com":       false,
		"/console/%zz":                    false,
	} {
		if got := switchboard.CheckConsolePath("next", to) == nil; got != want {
			t.Errorf("%q: %v", to, got)
		}
	}
}
