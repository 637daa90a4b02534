package app

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEgressSettings: the environment's settings for the connection to receivers are read. An error
// names its variable and shows no password.
func TestEgressSettings(t *testing.T) {
	const nat64, dns, proxy = "SWITCHBOARD_NAT64_PREFIXES", "SWITCHBOARD_DNS_SERVERS", "SWITCHBOARD_EGRESS_PROXY"
	tests := []struct {
		variable, value string
		wrong           string // in the error; empty: valid
	}{
		{nat64, "", ""},
		{nat64, "2001:db8:64::/96", ""},
		{nat64, "2001:db8:64::/96,64:ff9b:1::/48", ""},
		{nat64, "10.0.0.0/8", nat64 + ": 10.0.0.0/8 is not an IPv6 prefix"},
		{nat64, "2001:db8::/33", nat64 + ": 2001:db8::/33 is not an IPv6 prefix"},
		{nat64, "64:ff9b::", "nat64-prefixes"},
		{dns, "", ""},
		{dns, "10.0.0.53:53", ""},
		{dns, "10.0.0.53:53,[2001:db8::53]:5353", ""},
		{dns, "10.0.0.53", "dns-servers"},
		{dns, "dns.example.internal:53", "dns-servers"},
		{proxy, "", ""},
		{proxy, "http://10.0.0.3:3128", ""},
		{proxy, "https://user:s3cret@proxy.example.internal", ""},
		{proxy, "socks5://proxy.example.internal:1080", ""},
		{proxy, "proxy.example.internal:3128", proxy + ": must start with http://"},
		{proxy, "http://user:s3cret@proxy.example.internal/path", proxy + ": may hold nothing after host and port"},
		{proxy, "http://user:s3cr%et@proxy.example.internal", proxy + ": is not a URL"},
	}
	for _, test := range tests {
		t.Run(test.variable+"="+test.value, func(t *testing.T) { checkSetting(t, test.variable, test.value, test.wrong) })
	}
}

// An implausible retention setting is refused at the start, by its name.
func TestRetentionSettings(t *testing.T) {
	const retention, failed, payloads, window = "SWITCHBOARD_RETENTION", "SWITCHBOARD_RETENTION_FAILED", "SWITCHBOARD_PAYLOAD_RETENTION", "SWITCHBOARD_IDEMPOTENCY_WINDOW"
	for _, test := range []struct{ variable, value, wrong string }{
		{retention, "30d", ""},
		{retention, "7d", ""},
		{retention, "168h", ""},
		{retention, "90d", ""},
		{retention, "91d", failed + ": must be from SWITCHBOARD_RETENTION"},
		{retention, "23h", retention + ": must be from 1d"},
		{retention, "0s", retention + ": must be from 1d"},
		{retention, "-30d", "retention"},
		{retention, "30", "retention"},
		{retention, "a month", "retention"},
		{retention, "", "retention"},
		{retention, "3651d", retention + ": must be from 1d to 3650d"},
		{retention, "6d", window + ": must be from 1h to SWITCHBOARD_RETENTION, which is 144h"},
		{failed, "30d", ""},
		{failed, "29d", failed + ": must be from SWITCHBOARD_RETENTION, which is 720h"},
		{failed, "3651d", failed + ": must be"},
		{failed, "never", "retention-failed"},
		{payloads, "1d", ""},
		{payloads, "30d", ""},
		{payloads, "0s", ""},
		{payloads, "31d", payloads + ": must be from 1d to SWITCHBOARD_RETENTION"},
		{payloads, "1h", payloads + ": must be from 1d"},
		{payloads, "off", "payload-retention"},
		{window, "1h", ""},
		{window, "30d", ""},
		{window, "59m", window + ": must be from 1h"},
		{window, "31d", window + ": must be from 1h to SWITCHBOARD_RETENTION"},
		{window, "0s", window + ": must be from 1h"},
		{window, "week", "idempotency-window"},
	} {
		t.Run(test.variable+"="+test.value, func(t *testing.T) { checkSetting(t, test.variable, test.value, test.wrong) })
	}
}

// TestSlots: a worker with fewer than two slots would send nothing.
func TestSlots(t *testing.T) {
	for _, variable := range []string{"SWITCHBOARD_SLOTS", "SWITCHBOARD_SLOW_SLOTS"} {
		for value, wrong := range map[string]string{"2": "", "10000": "", "1": variable + ": must be from 2 to 10000", "0": variable, "10001": variable, "-1": variable, "many": "slots"} {
			t.Run(variable+"="+value, func(t *testing.T) { checkSetting(t, variable, value, wrong) })
		}
	}
}

// The environment does not affect the default configuration.
func TestDefaultConfig(t *testing.T) {
	t.Setenv("SWITCHBOARD_SLOTS", "7")
	t.Setenv("SWITCHBOARD_RETENTION", "nonsense")
	config, err := DefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	if config.Slots != 500 || config.SlowSlots != 200 || config.Retention.String() != "720h" || config.Validation != "warn" {
		t.Errorf("%+v", config)
	}
}

// checkSetting sets one variable, and checks the resulting error.
func checkSetting(t *testing.T, variable, value, wrong string) {
	t.Helper()
	t.Setenv("SWITCHBOARD_DATABASE_URL", "postgres://x:y@127.0.0.1:1/x")
	t.Setenv("SWITCHBOARD_ENCRYPTION_KEY", "k1:"+strings.Repeat("00", 32))
	t.Setenv(variable, value)
	var config Config
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = parser.Parse(nil); err == nil {
		err = config.Check()
	}
	switch {
	case wrong == "" && err != nil:
		t.Error(err)
	case wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "s3cr")):
		t.Errorf("%v; want an error that says %q", err, wrong)
	}
}

// TestEgressSettingsReachTheGuard: the guard uses the settings.
func TestEgressSettingsReachTheGuard(t *testing.T) {
	t.Parallel()
	const inPrefix = "http://[2001:db8:64::808:808]/"
	config := Config{NAT64: []netip.Prefix{netip.MustParsePrefix("2001:db8:64::/96")}, EgressProxy: "http://proxy.example.internal:3128"}
	for given, passes := range map[*Config]bool{new(Config): false, &config: true} {
		guard, err := given.guard()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := guard.Check(t.Context(), inPrefix); (err == nil) != passes {
			t.Errorf("%+v: %v; want passing %t", given.NAT64, err, passes)
		}
	}
	guard, err := config.guard()
	if err != nil {
		t.Fatal(err)
	}
	if warning, err := guard.Check(t.Context(), "https://no-such-name.invalid"); err != nil || warning != "" {
		t.Errorf("%q, %v; want no lookup where a proxy is set", warning, err)
	}
}

// A breaker threshold that no subscription could have is refused at the start, by its name.
func TestBreakerSettings(t *testing.T) {
	const mode, attempts, percent = "SWITCHBOARD_BREAKER", "SWITCHBOARD_BREAKER_MINIMUM_ATTEMPTS", "SWITCHBOARD_BREAKER_FAILURE_PERCENT"
	const window, inARow, disable = "SWITCHBOARD_BREAKER_WINDOW", "SWITCHBOARD_BREAKER_FAILURES_IN_A_ROW", "SWITCHBOARD_BREAKER_DISABLE_AFTER"
	for _, test := range []struct{ variable, value, wrong string }{
		{mode, "off", ""},
		{mode, "auto", ""},
		{mode, "on", "breaker"},
		{attempts, "1", ""},
		{attempts, "1000", ""},
		{attempts, "1001", attempts + ": must be from 1 to 1000"},
		{attempts, "-1", attempts + ": must be from 1 to 1000"},
		{percent, "100", ""},
		{percent, "101", percent + ": must be from 1 to 100"},
		{window, "10s", ""},
		{window, "1h", ""},
		{window, "9s", window + ": must be from 10s to 1h"},
		{window, "61m", window + ": must be from 10s to 1h"},
		{window, "long", "breaker-window"},
		{inARow, "1", ""},
		{inARow, "1001", inARow + ": must be from 1 to 1000"},
		{disable, "1h", ""},
		{disable, "90d", ""},
		{disable, "59m", disable + ": must be from 1h to 2160h"},
		{disable, "91d", disable + ": must be from 1h to 2160h"},
	} {
		t.Run(test.variable+"="+test.value, func(t *testing.T) { checkSetting(t, test.variable, test.value, test.wrong) })
	}
}
