package switchboard

import (
	"cmp"
	"reflect"
	"time"
)

// Ordering is the order in which the deliveries of a subscription are sent.
type Ordering string

// The kinds of ordering. Empty is the same as none.
const (
	OrderingNone Ordering = "none"
	OrderingKey  Ordering = "key" // per key of the event, in order of acceptance
)

// RateLimit is how many requests of a subscription all workers together make in a time.
type RateLimit struct {
	PerSecond float64 `json:"per_second" minimum:"0.01" maximum:"1000" doc:"Requests a second" example:"10"`
	Burst     int     `json:"burst,omitempty" minimum:"1" maximum:"1000" doc:"How many may be made at once after a pause. Default: 1" example:"1"`
}

// BreakerMode says whether a subscription has a breaker.
type BreakerMode string

// The modes of a breaker. Empty is the same as auto.
const (
	BreakerAuto BreakerMode = "auto"
	BreakerOff  BreakerMode = "off"
)

// Breaker says when the breaker of an endpoint opens, and when its subscription is disabled. A zero
// member has the configured value.
type Breaker struct {
	Mode            BreakerMode `json:"mode,omitempty" enum:"auto,off" default:"auto" doc:"off: failing deliveries only follow their retry policy"`
	MinimumAttempts int         `json:"minimum_attempts,omitempty" minimum:"1" maximum:"1000" default:"10" doc:"The breaker opens by percentage only after this many attempts in the window" example:"10"`
	FailurePercent  int         `json:"failure_percent,omitempty" minimum:"1" maximum:"100" default:"70" doc:"Percentage of those attempts that must have failed through the endpoint's fault" example:"70"`
	Window          Duration    `json:"window,omitempty" default_duration:"5m" shortest:"10s" longest:"1h" doc:"The time over which attempts are counted" example:"5m"`
	FailuresInARow  int         `json:"failures_in_a_row,omitempty" minimum:"1" maximum:"1000" default:"10" doc:"The breaker also opens after this many failures in a row" example:"10"`
	DisableAfter    Duration    `json:"disable_after,omitempty" default_duration:"120h" shortest:"1h" longest:"2160h" doc:"The subscription is disabled after every attempt has failed for this long" example:"120h"`
}

// Or returns the breaker with its missing members taken from the other one.
func (b Breaker) Or(other Breaker) Breaker {
	return Breaker{
		Mode: cmp.Or(b.Mode, other.Mode), MinimumAttempts: cmp.Or(b.MinimumAttempts, other.MinimumAttempts), FailurePercent: cmp.Or(b.FailurePercent, other.FailurePercent),
		Window: cmp.Or(b.Window, other.Window), FailuresInARow: cmp.Or(b.FailuresInARow, other.FailuresInARow), DisableAfter: cmp.Or(b.DisableAfter, other.DisableAfter),
	}
}

// Check refuses the first member that is not within its bounds. A zero member was not given.
func (b Breaker) Check() error { return checkBounds(reflect.ValueOf(b), "") }

// The intervals of probes while a breaker is open.
const (
	MinProbeInterval = 30 * time.Second
	MaxProbeInterval = 15 * time.Minute
	// ProbeJitter is the share by which a wait for a probe is lengthened at most, so that endpoints
	// that failed together are not probed together.
	ProbeJitter = 0.25
)
