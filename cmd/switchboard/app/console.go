package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/seed-49a43567/switchboard/api"
	"github.com/seed-49a43567/switchboard/console"
	"github.com/seed-49a43567/switchboard/store"
)

// ConsoleConfig holds the settings of the console, see docs/console.md.
type ConsoleConfig struct {
	ProxyHeader  string         `name:"console-proxy-header" env:"SWITCHBOARD_CONSOLE_PROXY_HEADER" placeholder:"NAME" help:"Header in which a proxy in front of the console names the person that it has signed in."`
	GroupsHeader string         `name:"console-groups-header" env:"SWITCHBOARD_CONSOLE_GROUPS_HEADER" placeholder:"NAME" help:"Header in which that proxy names the person's groups, separated by commas."`
	Groups       string         `name:"console-groups" env:"SWITCHBOARD_CONSOLE_GROUPS" placeholder:"GROUP=ROLE[+read_payload],…" help:"Roles of groups. A person in several groups has the role of the first."`
	ProxyCIDRs   []netip.Prefix `name:"console-proxy-cidrs" env:"SWITCHBOARD_CONSOLE_PROXY_CIDRS" sep:"," placeholder:"CIDR,…" help:"Addresses of the proxies in front of the console: the sign-in headers and X-Forwarded-For of other peers are ignored."`
	KeySignIn    bool           `name:"console-key-sign-in" env:"SWITCHBOARD_CONSOLE_KEY_SIGN_IN" default:"true" negatable:"" help:"Whether people may sign in to the console with API keys."`
	BrandName    string         `name:"console-brand-name" env:"SWITCHBOARD_CONSOLE_BRAND_NAME" placeholder:"NAME" help:"Name of the platform, for the portal of its customers."`
	BrandLogo    string         `name:"console-brand-logo" env:"SWITCHBOARD_CONSOLE_BRAND_LOGO" placeholder:"FILE" help:"Its logo, SVG or PNG."`
	BrandAccent  string         `name:"console-brand-accent" env:"SWITCHBOARD_CONSOLE_BRAND_ACCENT" placeholder:"#RRGGBB" help:"Colour of the portal's header, on which white text can be read."`
}

// config returns the console's own config.
func (c *ConsoleConfig) config() (console.Config, error) {
	made := console.Config{NoKeys: !c.KeySignIn, Brand: console.Brand{Name: c.BrandName, Accent: c.BrandAccent}}
	if c.BrandLogo != "" {
		logo, err := os.ReadFile(c.BrandLogo)
		if err != nil {
			return made, fmt.Errorf("SWITCHBOARD_CONSOLE_BRAND_LOGO: %w", err)
		}
		made.Brand.Logo = logo
	}
	for _, prefix := range c.ProxyCIDRs {
		if prefix.Bits() == 0 {
			return made, fmt.Errorf("SWITCHBOARD_CONSOLE_PROXY_CIDRS: %s is everybody: whoever can connect could then claim any name and address", prefix)
		}
	}
	made.Proxies = c.ProxyCIDRs
	if c.ProxyHeader == "" && c.GroupsHeader == "" && c.Groups == "" {
		return made, nil
	}
	if c.ProxyHeader == "" || c.GroupsHeader == "" || c.Groups == "" || len(c.ProxyCIDRs) == 0 {
		return made, errors.New("SWITCHBOARD_CONSOLE_PROXY_HEADER, SWITCHBOARD_CONSOLE_GROUPS_HEADER, SWITCHBOARD_CONSOLE_GROUPS and SWITCHBOARD_CONSOLE_PROXY_CIDRS: set all of them, the last one alone, or none")
	}
	groups, err := console.ParseGroups(c.Groups)
	if err != nil {
		return made, fmt.Errorf("SWITCHBOARD_CONSOLE_GROUPS: %w", err)
	}
	made.Proxy = &console.Proxy{Header: c.ProxyHeader, GroupsHeader: c.GroupsHeader, Groups: groups}
	return made, nil
}

// newConsole makes the console, which uses the API.
func (c *Config) newConsole(served *api.API, s *store.Store, log *slog.Logger) (*console.Console, error) {
	made, err := c.Console.config()
	if err != nil {
		return nil, err
	}
	made.API, made.Sessions, made.Logger, made.PublicURL = served, s, log, c.PublicURL
	return console.New(made)
}
