package console

import (
	"bytes"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func TestWords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 13, 4, 5, 6e6, time.FixedZone("CET", 3600))
	for _, c := range []struct {
		got, want string
	}{
		{count(0), "0"}, {count(999), "999"}, {count(4310), "4,310"}, {count(-1234567), "-1,234,567"}, {count(int64(100000)), "100,000"},
		{counted(nil), ""}, {counted(&switchboard.Count{Value: 12}), "12"}, {counted(&switchboard.Count{Value: 10000, More: true}), "10,000+"},
		{percent(0, 0), "0"}, {percent(982, 1000), "98.2"}, {percent(9999, 10000), "99.9"}, {percent(10000, 10000), "100"}, {percent(1, 3), "33.3"},
		{plural(1, "host", "hosts"), "1 host"}, {plural(0, "host", "hosts"), "0 hosts"}, {plural(1200, "host", "hosts"), "1,200 hosts"},
		{bytesInWords(1), "1 byte"}, {bytesInWords(999), "999 bytes"}, {bytesInWords(1234), "1.2 kB"}, {bytesInWords(3_400_000), "3.4 MB"},
		{milliseconds(210), "210 ms"}, {milliseconds(int64(2400)), "2.4 s"},
		{durationInWords(0), "0 ms"}, {durationInWords(1500 * time.Millisecond), "1 s"}, {durationInWords(2*time.Hour + 7*time.Minute + 8*time.Second), "2 h 7 min"},
		{durationInWords(24 * time.Hour), "1 d"}, {durationInWords(25*time.Hour + time.Minute), "1 d 1 h"}, {durationInWords(-time.Minute), "-1 min"},
		{short("dlv_01k0000000000000n1c3d40123"), "…c3d40123"}, {short("order-1"), "order-1"}, {short(""), ""},
		{string(ago(time.Time{})), "–"}, {string(ago((*time.Time)(nil))), "–"},
		{string(ago(at)), `<time datetime="2026-01-31T12:04:05.006Z" data-time="relative" title="2026-01-31T12:04:05.006Z">31 Jan 12:04:05 UTC</time>`},
		{string(clock(&at)), `<time datetime="2026-01-31T12:04:05.006Z" data-time="both" title="2026-01-31T12:04:05.006Z">31 Jan 12:04:05 UTC</time>`},
		{string(day(at)), `<time datetime="2026-01-31T12:04:05.006Z" data-time="day" title="2026-01-31T12:04:05.006Z">31 Jan 2026 UTC</time>`},
		{failureName(switchboard.FailureHTTP5xx, 503), "503 Service Unavailable"}, {failureName(switchboard.FailureHTTP4xx, 499), "499"},
		{failureName(switchboard.FailureTLSExpired, 0), "TLS expired"}, {failureName(switchboard.FailureDNS, 0), "DNS"}, {failureName(switchboard.FailureTimeout, 0), "timeout"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestWithTimes: a text does not change except for its times, and can never be more than text.
func TestWithTimes(t *testing.T) {
	t.Parallel()
	element := func(iso, shown string) string {
		return `<time datetime="` + iso + `" data-time="both" title="` + iso + `">` + shown + ` UTC</time>`
	}
	for _, c := range []struct {
		text, want string
	}{
		{"", ""},
		{"no time", "no time"},
		{"failed at 2026-11-29T06:25:37Z: 503", "failed at " + element("2026-11-29T06:25:37Z", "29 Nov 06:25:37") + ": 503"},
		{"2026-11-29T06:25:37Z", element("2026-11-29T06:25:37Z", "29 Nov 06:25:37")},
		{"since 2026-01-31T13:04:05.006+01:00 to 2026-02-01T00:00:00Z.", "since " + element("2026-01-31T12:04:05.006Z", "31 Jan 12:04:05") + " to " + element("2026-02-01T00:00:00Z", "1 Feb 00:00:00") + "."},
		{`<b title="2026-11-29T06:25:37Z">&`, `&lt;b title=&#34;` + element("2026-11-29T06:25:37Z", "29 Nov 06:25:37") + `&#34;&gt;&amp;`},
		{"<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"},
		{"2026-02-31T06:25:37Z <i>", "2026-02-31T06:25:37Z &lt;i&gt;"},
		{"2026-11-29, 2026-11-29T06:25Z, 12026-11-29T06:25:37Z", "2026-11-29, 2026-11-29T06:25Z, 12026-11-29T06:25:37Z"},
	} {
		if got := string(withTimes(c.text)); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

// TestLooks: every state has its own kind of colour and icon, and a word.
func TestLooks(t *testing.T) {
	t.Parallel()
	for state, want := range map[any]look{
		switchboard.StateDelivered:         {"delivered", "delivered", "delivered"},
		switchboard.StateRetrying:          {"retrying", "retrying", "retrying"},
		switchboard.StateFailed:            {"failed", "failed", "failed"},
		switchboard.StatePending:           {"pending", "pending", "pending"},
		switchboard.StateHeld:              {"held", "held", "held"},
		switchboard.StateBlocked:           {"blocked", "blocked", "blocked"},
		switchboard.StateCancelled:         {"cancelled", "cancelled", "cancelled"},
		switchboard.SubscriptionActive:     {"delivered", "active", "delivered"},
		switchboard.SubscriptionPaused:     {"held", "paused", "held"},
		switchboard.SubscriptionDisabled:   {"cancelled", "disabled", "cancelled"},
		switchboard.SubscriptionUnverified: {"held", "unverified", "held"},
		switchboard.BreakerHalfOpen:        {"blocked", "breaker half open", "blocked"},
		switchboard.OperationRunning:       {"pending", "running", "pending"},
	} {
		if got := stateOf(state); got != want {
			t.Errorf("%v: %+v, want %+v", state, got, want)
		}
	}
	for _, state := range switchboard.States() {
		if got := stateOf(state); got.Colour != string(state) {
			t.Errorf("%s is shown as %s", state, got.Colour)
		}
	}
}

// TestIcons: each icon of a look is in the sprite.
func TestIcons(t *testing.T) {
	t.Parallel()
	sprite, err := assetFiles.ReadFile("assets/icons.svg")
	must(t, err)
	for _, name := range []string{"delivered", "retrying", "failed", "pending", "held", "blocked", "cancelled", "warning", "copy", "switchboard"} {
		if !bytes.Contains(sprite, []byte(`<symbol id="`+name+`"`)) {
			t.Errorf("there is no icon %s", name)
		}
	}
}
