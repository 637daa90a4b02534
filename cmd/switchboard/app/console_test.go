package app

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConsoleConfig: all settings of a proxy that signs people in exist, and each is checked.
func TestConsoleConfig(t *testing.T) {
	t.Parallel()
	logo := filepath.Join(t.TempDir(), "logo.svg")
	if err := os.WriteFile(logo, []byte("<svg/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	peers := []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32")}
	whole := ConsoleConfig{ProxyHeader: "X-Person", GroupsHeader: "X-Groups", Groups: "wh-admin=admin", ProxyCIDRs: peers}
	for name, c := range map[string]struct {
		change func(*ConsoleConfig)
		want   string // in the error; empty: none
	}{
		"none":             {func(c *ConsoleConfig) { *c = ConsoleConfig{} }, ""},
		"all":              {func(*ConsoleConfig) {}, ""},
		"no header":        {func(c *ConsoleConfig) { c.ProxyHeader = "" }, "set all of them"},
		"no groups header": {func(c *ConsoleConfig) { c.GroupsHeader = "" }, "set all of them"},
		"no groups":        {func(c *ConsoleConfig) { c.Groups = "" }, "set all of them"},
		"no addresses":     {func(c *ConsoleConfig) { c.ProxyCIDRs = nil }, "set all of them"},
		"addresses alone":  {func(c *ConsoleConfig) { *c = ConsoleConfig{ProxyCIDRs: peers} }, ""},
		"everybody":        {func(c *ConsoleConfig) { c.ProxyCIDRs = append(peers, netip.MustParsePrefix("::/0")) }, "is everybody"},
		"everybody alone": {func(c *ConsoleConfig) {
			*c = ConsoleConfig{ProxyCIDRs: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
		}, "is everybody"},
		"an unknown role": {func(c *ConsoleConfig) { c.Groups = "wh=root" }, "SWITCHBOARD_CONSOLE_GROUPS"},
		"publishers":      {func(c *ConsoleConfig) { c.Groups = "wh=publisher" }, "SWITCHBOARD_CONSOLE_GROUPS"},
		"a logo":          {func(c *ConsoleConfig) { c.BrandLogo = logo }, ""},
		"no such logo":    {func(c *ConsoleConfig) { c.BrandLogo = logo + "x" }, "SWITCHBOARD_CONSOLE_BRAND_LOGO"},
	} {
		config := whole
		c.change(&config)
		_, err := config.config()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
