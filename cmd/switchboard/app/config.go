// Package app assembles Switchboard: it reads the configuration, builds the parts and runs them.
// The two binaries are thin layers around it.
package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.temporal.io/sdk/client"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/ingest"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/webhook"
)

// Config holds all settings, from flags or the environment. The connection to Temporal is set in
// Temporal's own way: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, and the other variables and the profile
// file of its envconfig.
type Config struct {
	DatabaseURL   string            `name:"database-url" env:"SWITCHBOARD_DATABASE_URL" placeholder:"postgres://…" help:"Postgres database of Switchboard. Required."`
	EncryptionKey string            `name:"encryption-key" env:"SWITCHBOARD_ENCRYPTION_KEY" placeholder:"ID:BASE64[,…]" help:"Keys of 32 bytes that encrypt secrets at rest: the first encrypts, all decrypt. Prefer the environment over the flag. Required; optional for migrate, which checks them if they are given."`
	LostKeys      []string          `name:"lost-keys" env:"SWITCHBOARD_LOST_KEYS" sep:"," placeholder:"ID,…" help:"Ids of encryption keys that are lost for good: the process starts without them, and data that need them are shown as unreadable."`
	Listen        string            `name:"listen" env:"SWITCHBOARD_LISTEN" default:"127.0.0.1:8080" help:"Address of the HTTP API, health and metrics."`
	AllowCIDRs    []netip.Prefix    `name:"allow-cidrs" env:"SWITCHBOARD_ALLOW_CIDRS" sep:"," placeholder:"CIDR,…" help:"Private networks that webhooks may reach. All other addresses that are not public are refused."`
	MaxData       int               `name:"max-data" env:"SWITCHBOARD_MAX_DATA" default:"262144" help:"Limit of an event's data in bytes."`
	MaxBatch      int               `name:"max-batch" env:"SWITCHBOARD_MAX_BATCH" default:"5242880" help:"Limit of a batch of events in bytes. A process has room for four such batches at a time."`
	Validation    ingest.Validation `name:"validation" env:"SWITCHBOARD_VALIDATION" default:"warn" enum:"off,warn,reject" help:"What happens to events whose data do not match the catalogue's schema of their type."`
	Slots         int               `name:"slots" env:"SWITCHBOARD_SLOTS" default:"500" help:"Attempts that a worker makes at the same time."`
	SlowSlots     int               `name:"slow-slots" env:"SWITCHBOARD_SLOW_SLOTS" default:"200" help:"Attempts to slow endpoints that a worker makes at the same time, in addition to the others."`
	MaxConns      int               `name:"max-conns" env:"SWITCHBOARD_MAX_CONNS" default:"20" help:"Maximum number of connections of a process to Postgres."`
	RefusedKeys   float64           `name:"refused-keys" env:"SWITCHBOARD_REFUSED_KEYS" default:"10" help:"Refused keys a second from one address; beyond that, the answer is 429."`
	CostlyCalls   float64           `name:"costly-calls" env:"SWITCHBOARD_COSTLY_CALLS" default:"100" help:"Budget of one key for costly calls, a second and in each process: a trigger costs 1, a preview, a match or a new key 2, a test 5, a challenge or a call of a token endpoint 10."`
	TemporalUI    string            `name:"temporal-ui" env:"SWITCHBOARD_TEMPORAL_UI" default:"http://127.0.0.1:8233" help:"Address of Temporal's web UI, for links to it."`
	PublicURL     string            `name:"public-url" env:"SWITCHBOARD_PUBLIC_URL" placeholder:"URL" help:"Public address of API and console, such as https://switchboard.example.com: portal links lead there, and Temporal's UI links each workflow to its delivery."`
	LogLevel      slog.Level        `name:"log-level" env:"SWITCHBOARD_LOG_LEVEL" default:"INFO" help:"DEBUG, INFO, WARN or ERROR."`

	// The two secrets in files, as Docker and Kubernetes mount them.
	DatabaseURLFile   string `name:"database-url-file" env:"SWITCHBOARD_DATABASE_URL_FILE" placeholder:"FILE" help:"File that holds the database's URL, instead of the variable."`
	EncryptionKeyFile string `name:"encryption-key-file" env:"SWITCHBOARD_ENCRYPTION_KEY_FILE" placeholder:"FILE" help:"File that holds the encryption keys, instead of the variable."`

	// How long records are kept, see docs/retention.md.
	Retention         switchboard.Duration `name:"retention" env:"SWITCHBOARD_RETENTION" default:"30d" help:"How long a delivered delivery is kept after its end, with its event and its attempts."`
	RetentionFailed   switchboard.Duration `name:"retention-failed" env:"SWITCHBOARD_RETENTION_FAILED" default:"90d" help:"How long a failed or cancelled delivery is kept; at least SWITCHBOARD_RETENTION."`
	PayloadRetention  switchboard.Duration `name:"payload-retention" env:"SWITCHBOARD_PAYLOAD_RETENTION" placeholder:"DURATION" help:"How long an event's data, and headers and bodies of its attempts, are kept after it was accepted. Default: as long as the rows."`
	IdempotencyWindow switchboard.Duration `name:"idempotency-window" env:"SWITCHBOARD_IDEMPOTENCY_WINDOW" default:"7d" help:"For how long an event that is posted again with the same id is a duplicate."`

	// The breaker of subscriptions without their own settings, see docs/misbehaving_endpoints.md.
	Breaker             switchboard.BreakerMode `name:"breaker" env:"SWITCHBOARD_BREAKER" default:"auto" enum:"auto,off" help:"Default of breaker.mode for subscriptions that do not set it."`
	BreakerAttempts     int                     `name:"breaker-minimum-attempts" env:"SWITCHBOARD_BREAKER_MINIMUM_ATTEMPTS" default:"10" help:"A breaker opens by the percentage of failures only after this many attempts in the window."`
	BreakerPercent      int                     `name:"breaker-failure-percent" env:"SWITCHBOARD_BREAKER_FAILURE_PERCENT" default:"70" help:"Percentage of attempts in the window that must have failed through the endpoint's fault."`
	BreakerWindow       switchboard.Duration    `name:"breaker-window" env:"SWITCHBOARD_BREAKER_WINDOW" default:"5m" help:"The time over which attempts are counted."`
	BreakerInARow       int                     `name:"breaker-failures-in-a-row" env:"SWITCHBOARD_BREAKER_FAILURES_IN_A_ROW" default:"10" help:"A breaker also opens after this many failures in a row."`
	BreakerDisableAfter switchboard.Duration    `name:"breaker-disable-after" env:"SWITCHBOARD_BREAKER_DISABLE_AFTER" default:"5d" help:"A subscription is disabled after every attempt has failed for this long."`

	// The connection to the receivers, see docs/egress.md.
	NAT64       []netip.Prefix   `name:"nat64-prefixes" env:"SWITCHBOARD_NAT64_PREFIXES" sep:"," placeholder:"CIDR,…" help:"Prefixes of this network's own NAT64, in addition to 64:ff9b::/96."`
	DNSServers  []netip.AddrPort `name:"dns-servers" env:"SWITCHBOARD_DNS_SERVERS" sep:"," placeholder:"IP:PORT,…" help:"DNS servers for the names of receivers. Default: those of the system."`
	EgressProxy string           `name:"egress-proxy" env:"SWITCHBOARD_EGRESS_PROXY" placeholder:"URL" help:"Proxy through which all receivers are reached: http://, https:// or socks5://, with user:password@ if the proxy needs it. Prefer the environment over the flag."`

	// Metrics and traces, see docs/telemetry.md.
	TenantClasses   switchboard.TenantClasses `name:"tenant-classes" env:"SWITCHBOARD_TENANT_CLASSES" placeholder:"CLASS=TENANT+…,…" help:"Classes of tenants for the label class of metrics, such as gold=acme+globex,trial=trial-*. All other tenants are standard."`
	SendTraceParent bool                      `name:"send-traceparent" env:"SWITCHBOARD_SEND_TRACEPARENT" default:"false" negatable:"" help:"Send the header traceparent with attempts that are traced."`

	// The console, see docs/console.md.
	Console ConsoleConfig `embed:""`

	// Temporal says how to connect to Temporal; nil: Temporal's own environment does.
	Temporal func() (client.Options, error) `kong:"-"`
}

// Check checks the values of flags and environment, and names the one at fault. It is not called
// Validate, because kong would call that for every command, and few need all settings.
func (c *Config) Check() error {
	var errs []error
	complain := func(variable, format string, args ...any) {
		errs = append(errs, fmt.Errorf(variable+": "+format, args...))
	}
	if err := c.readSecretFiles(); err != nil {
		errs = append(errs, err)
	}
	if err := c.checkDatabaseURL(); err != nil {
		errs = append(errs, err)
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		complain("SWITCHBOARD_PUBLIC_URL", "is not an http or https URL without user, query and fragment")
	}
	if _, err := store.ParseKeyring(c.EncryptionKey); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.Console.config(); err != nil {
		errs = append(errs, err)
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		complain("SWITCHBOARD_LISTEN", "%q is not an address such as 127.0.0.1:8080", c.Listen)
	}
	for _, prefix := range c.NAT64 {
		if !webhook.IsNAT64Prefix(prefix) {
			complain("SWITCHBOARD_NAT64_PREFIXES", "%s is not an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits as RFC 6052 has them", prefix)
		}
	}
	if _, err := c.guard(); err != nil {
		complain("SWITCHBOARD_EGRESS_PROXY", "%w", err)
	}
	if c.MaxData < 1 || c.MaxData > maxMaxData {
		complain("SWITCHBOARD_MAX_DATA", "must be from 1 to %d bytes", maxMaxData)
	}
	if c.MaxBatch != 0 && (c.MaxBatch < minMaxBatch || c.MaxBatch > maxMaxBatch) {
		complain("SWITCHBOARD_MAX_BATCH", "must be from %d to %d bytes", minMaxBatch, maxMaxBatch)
	}
	if c.Slots < minSlots || c.Slots > maxSlots {
		complain("SWITCHBOARD_SLOTS", "must be from %d to %d", minSlots, maxSlots)
	}
	if c.SlowSlots < minSlots || c.SlowSlots > maxSlots {
		complain("SWITCHBOARD_SLOW_SLOTS", "must be from %d to %d", minSlots, maxSlots)
	}
	if c.RefusedKeys != 0 && c.RefusedKeys < minRate { // 0: the API's default
		complain("SWITCHBOARD_REFUSED_KEYS", "must be at least %v a second", minRate)
	}
	if c.CostlyCalls != 0 && c.CostlyCalls < minRate { // 0: the API's default
		complain("SWITCHBOARD_COSTLY_CALLS", "must be at least %v a second", minRate)
	}
	if c.MaxConns < minConns {
		complain("SWITCHBOARD_MAX_CONNS", "must be at least %d", minConns)
	}
	c.checkRetention(complain)
	c.checkBreaker(complain)
	return errors.Join(errs...)
}

func (c *Config) checkRetention(complain func(variable, format string, args ...any)) {
	if c.Retention < minRetention || c.Retention > maxRetention {
		complain("SWITCHBOARD_RETENTION", "must be from 1d to 3650d")
	}
	if c.RetentionFailed < c.Retention || c.RetentionFailed > maxRetention {
		complain("SWITCHBOARD_RETENTION_FAILED", "must be from SWITCHBOARD_RETENTION, which is %s, to 3650d", c.Retention)
	}
	if c.PayloadRetention != 0 && (c.PayloadRetention < minRetention || c.PayloadRetention > c.Retention) {
		complain("SWITCHBOARD_PAYLOAD_RETENTION", "must be from 1d to SWITCHBOARD_RETENTION, which is %s, or be left out", c.Retention)
	}
	if c.IdempotencyWindow < minIdempotencyWindow || c.IdempotencyWindow > c.Retention {
		complain("SWITCHBOARD_IDEMPOTENCY_WINDOW", "must be from 1h to SWITCHBOARD_RETENTION, which is %s: the answer to a duplicate names its deliveries", c.Retention)
	}
}

// checkBreaker checks the settings against the limits of the same members of a subscription.
func (c *Config) checkBreaker(complain func(variable, format string, args ...any)) {
	breaker := c.breaker()
	if wrong, ok := errors.AsType[*switchboard.Error](breaker.Check()); ok {
		complain("SWITCHBOARD_BREAKER_"+strings.ToUpper(wrong.Field), "%s", wrong.Message)
	}
}

// breaker returns the settings of the breaker.
func (c *Config) breaker() switchboard.Breaker {
	return switchboard.Breaker{
		Mode: c.Breaker, MinimumAttempts: c.BreakerAttempts, FailurePercent: c.BreakerPercent, Window: c.BreakerWindow,
		FailuresInARow: c.BreakerInARow, DisableAfter: c.BreakerDisableAfter,
	}
}

// retention returns the settings of retention.
func (c *Config) retention() switchboard.Retention {
	return switchboard.Retention{Delivered: time.Duration(c.Retention), Failed: time.Duration(c.RetentionFailed), Payloads: time.Duration(c.PayloadRetention)}
}

// DefaultConfig is the configuration if neither a flag nor the environment sets anything.
func DefaultConfig() (Config, error) {
	var c Config
	withoutEnvironment := kong.PostBuild(func(k *kong.Kong) error {
		for _, flag := range k.Model.Flags {
			flag.Envs, flag.Tag.Envs = nil, nil
		}
		return nil
	})
	err := kong.ApplyDefaults(&c, withoutEnvironment)
	return c, err
}

const (
	minRetention         = switchboard.Duration(24 * time.Hour) // a partition is a day
	maxRetention         = 3650 * minRetention
	minIdempotencyWindow = switchboard.Duration(time.Hour) // the shortest duration of a client's own retries
)

const (
	maxMaxData  = 16 << 20 // above that a webhook is a file transfer
	minMaxBatch = 64 << 10
	maxMaxBatch = 64 << 20 // four of them take about 2 GB of memory
	minSlots    = 2        // the SDK needs one for the sticky queue and one for the normal queue
	maxSlots    = 10000
	minRate     = 0.1 // a lower rate is an outage
	minConns    = 4   // a batch being written, one being read, the listener, and one spare
)

// Logger makes the process's logger, which writes one JSON object per line to standard error.
func (c *Config) Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
}

func (c *Config) checkDatabaseURL() error {
	switch {
	case c.DatabaseURL == "":
		return errors.New("SWITCHBOARD_DATABASE_URL: is required, as postgres://user:password@host:5432/switchboard")
	case !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://"):
		return errors.New("SWITCHBOARD_DATABASE_URL: must start with postgres://")
	}
	return nil
}

func (c *Config) openStore() (*store.Store, error) {
	if err := c.readSecretFiles(); err != nil {
		return nil, err
	}
	if err := c.checkDatabaseURL(); err != nil {
		return nil, err
	}
	keyring, err := store.ParseKeyring(c.EncryptionKey)
	if err != nil {
		return nil, err
	}
	return store.Open(store.Config{URL: c.DatabaseURL, Keyring: keyring, MaxConns: c.MaxConns, IdempotencyWindow: time.Duration(c.IdempotencyWindow), Breaker: c.breaker()})
}

// guard makes the guard. Only the egress proxy's URL can make it fail.
func (c *Config) guard() (*webhook.Guard, error) {
	egress := webhook.GuardConfig{Allow: c.AllowCIDRs, NAT64: c.NAT64, DNSServers: c.DNSServers}
	if c.EgressProxy != "" {
		var err error
		if egress.Proxy, err = webhook.ParseProxy(c.EgressProxy); err != nil {
			return nil, err
		}
	}
	return egress.New(), nil
}

// operator is the caller for commands that run on the machine itself.
var operator = switchboard.Caller{KeyID: "cli", Role: switchboard.RoleAdmin, Origin: switchboard.OriginSwitchboard}
