package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// Migrate migrates the database's schema to this version, registers the encryption keys there, and
// prints what it did. It also works without keys, because processes register them when they start.
func Migrate(ctx context.Context, config Config, out io.Writer) error {
	s, err := config.openStoreToMigrate()
	if err != nil {
		return err
	}
	defer s.Close()
	before, err := s.FoundSchema(ctx)
	if err != nil {
		return err
	}
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	after, err := s.FoundSchema(ctx)
	if err != nil {
		return err
	}
	needed, err := store.SchemaVersion()
	if err != nil {
		return err
	}
	switch before {
	case after:
		fmt.Fprintf(out, "schema: version %d, nothing to do\n", after)
		if after > needed {
			fmt.Fprintf(out, "schema: it is newer than version %d, which this binary was made for; the binary works on it\n", needed)
		}
	case 0:
		fmt.Fprintf(out, "schema: made, version %d\n", after)
	default:
		fmt.Fprintf(out, "schema: from version %d to version %d\n", before, after)
	}
	if config.EncryptionKey == "" {
		_, err = fmt.Fprintf(out, "encryption keys: %s is not set, so they are not checked; serve, api and worker check them when they start\n", store.KeyringVariable)
		return err
	}
	if err := s.CheckKeys(ctx, config.LostKeys...); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "encryption keys: they are this database's")
	return err
}

// openStoreToMigrate opens a store, without keys if none are set.
func (c *Config) openStoreToMigrate() (*store.Store, error) {
	if err := c.readSecretFiles(); err != nil {
		return nil, err
	}
	if c.EncryptionKey != "" {
		return c.openStore()
	}
	if err := c.checkDatabaseURL(); err != nil {
		return nil, err
	}
	return store.Open(store.Config{URL: c.DatabaseURL, MaxConns: c.MaxConns})
}

// openMigrated opens the store of a database whose schema this binary supports.
func (c *Config) openMigrated(ctx context.Context) (*store.Store, error) {
	s, err := c.openStore()
	if err != nil {
		return nil, err
	}
	if err := s.CheckSchema(ctx); err != nil && !errors.Is(err, store.ErrNewerSchema) {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// NewKey describes a new API key.
type NewKey struct {
	Name   string
	Role   switchboard.Role
	Tenant *string       // nil: every tenant
	TTL    time.Duration // 0: it does not expire

	ReadPayload *bool // nil: the default of [switchboard.Role.ReadsPayload]
}

// CreateKey makes an API key and prints its text, which is never shown again.
func CreateKey(ctx context.Context, config Config, wanted NewKey, out io.Writer) error {
	key, err := wanted.key(time.Now())
	if err != nil {
		return err
	}
	s, err := config.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.CheckKeys(ctx, config.LostKeys...); err != nil {
		return err
	}
	text := switchboard.NewKeyText()
	if key, err = s.CreateKey(ctx, operator, key, text); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n%s\n", key.ID, text.Reveal())
	return err
}

// key refuses settings that would make a more powerful key than intended.
func (k NewKey) key(now time.Time) (switchboard.Key, error) {
	key := switchboard.Key{Name: k.Name, Role: k.Role, ReadPayload: k.Role.ReadsPayload()}
	switch {
	case !k.Role.Valid():
		return key, switchboard.InvalidField("role", "%q is not a role; known: %v", k.Role, switchboard.Roles())
	case k.Tenant != nil && *k.Tenant == "": // for example from an unset shell variable
		return key, switchboard.InvalidField("--tenant", "is empty: name a tenant, or leave the flag out for a key of every tenant")
	case k.TTL < 0:
		return key, switchboard.InvalidField("--ttl", "may not be negative: such a key would have expired before it was made")
	}
	if k.Tenant != nil {
		key.Tenant = *k.Tenant
	}
	if k.ReadPayload != nil {
		key.ReadPayload = *k.ReadPayload
	}
	if k.TTL > 0 {
		key.ExpiresAt = now.Add(k.TTL)
	}
	return key, nil
}

// EnsureKey makes an API key with that text and the role admin, unless it exists. It is for
// development, where the text is chosen in advance.
func EnsureKey(ctx context.Context, config Config, name string, text switchboard.Secret) error {
	s, err := config.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.CreateKey(ctx, operator, switchboard.Key{Name: name, Role: switchboard.RoleAdmin, ReadPayload: true}, text)
	return err
}

// EnterConsole makes a link that signs one person in to the console, as an admin with the key of
// that text, and returns the link's path. It is for development. It makes the key if it does not
// exist. The link is valid for as long as a session lasts.
func EnterConsole(ctx context.Context, config Config, name string, text switchboard.Secret) (switchboard.Secret, error) {
	s, err := config.openMigrated(ctx)
	if err != nil {
		return "", err
	}
	defer s.Close()
	key, err := s.CreateKey(ctx, operator, switchboard.Key{Name: name, Role: switchboard.RoleAdmin, ReadPayload: true}, text)
	if err != nil {
		return "", err
	}
	_, token, err := s.CreatePortalLink(ctx, switchboard.Caller{KeyID: key.ID, Role: key.Role}, switchboard.PortalLink{
		Person: name, Role: key.Role, ReadPayload: key.ReadPayload, Lasts: switchboard.SessionLasts, Session: switchboard.SessionLasts,
	})
	return switchboard.ConsolePath + "/enter#" + token, err
}

// ListKeys prints every API key, newest first.
func ListKeys(ctx context.Context, config Config, out io.Writer) error {
	s, err := config.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tROLE\tTENANT\tREADS PAYLOAD\tCREATED\tLAST USED\tEXPIRES\tREVOKED")
	request := switchboard.PageRequest{Limit: switchboard.MaxPage}
	for {
		page, err := s.Keys(ctx, operator, request)
		if err != nil {
			return err
		}
		for _, k := range page.Items {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%t\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Role, k.Tenant, k.ReadPayload, date(k.CreatedAt), date(k.LastUsedAt), date(k.ExpiresAt), date(k.RevokedAt))
		}
		if request.Cursor = page.NextCursor; request.Cursor == "" {
			return table.Flush()
		}
	}
}

// RevokeKey revokes an API key at once.
func RevokeKey(ctx context.Context, config Config, id, reason string, out io.Writer) error {
	if strings.TrimSpace(reason) == "" {
		return switchboard.InvalidField("--reason", "is empty: say why, for whoever finds the key revoked")
	}
	s, err := config.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	key, err := s.RevokeKey(ctx, operator, id, reason)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s revoked at %s\n", key.ID, date(key.RevokedAt))
	return err
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
