package temporalserver

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
)

// Connections to each database. Each of the four services has its own pools, so the server may use
// four times their sum. Only history needs many.
const (
	mainConnections       = 20
	visibilityConnections = 8
)

// database is the location of the server's two databases.
type database struct {
	name       string // of the main one
	user       string
	password   string
	addr       string // host:port; the host is used only if the attributes name none
	attributes map[string]string
}

func parseDatabaseURL(text string) (database, error) {
	u, err := url.Parse(text)
	if err != nil {
		return database{}, fmt.Errorf("database URL: %w", err)
	}
	d := database{name: strings.TrimPrefix(u.Path, "/"), attributes: map[string]string{}}
	if d.name == "" || u.User == nil {
		return database{}, fmt.Errorf("database URL %s: must name a user and a database", u.Redacted())
	}
	d.user = u.User.Username()
	d.password, _ = u.User.Password()
	d.addr = u.Host
	if d.addr == "" {
		d.addr = "localhost"
	}
	if u.Port() == "" {
		d.addr = net.JoinHostPort(strings.Trim(d.addr, "[]"), "5432")
	}
	for key, values := range u.Query() { // includes host if that is a socket's folder
		d.attributes[key] = values[0]
	}
	return d, nil
}

func (d database) main(connections int) *config.SQL { return d.store(d.name, connections) }

func (d database) visibility(connections int) *config.SQL {
	return d.store(d.name+"_visibility", connections)
}

// store connects to Postgres with pgx, which took a fifth less CPU than lib/pq.
func (d database) store(name string, connections int) *config.SQL {
	return &config.SQL{
		PluginName:        postgresql.PluginNamePGX,
		DatabaseName:      name,
		User:              d.user,
		Password:          d.password,
		ConnectAddr:       d.addr,
		ConnectAttributes: d.attributes,
		MaxConns:          connections,
		MaxIdleConns:      connections,
	}
}
