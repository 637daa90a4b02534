package switchboard

import (
	"reflect"
	"regexp"
	"strings"
	"time"
)

var patternPattern = regexp.MustCompile(`^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$`)

// Validate checks the subscription after [Subscription.SetDefaults]. Package signing checks how it
// signs, and the egress guard checks whether the URL's address may be reached.
func (s *Subscription) Validate() error {
	checks := []func() error{
		func() error { return validateOwner(s.Tenant) },
		s.validateName,
		s.validateEvents,
		s.Request.Validate,
		s.Retry.validate,
		s.validateTimeout,
		s.validateAuth,
		s.validateVerification,
		s.validateAdaptive,
		s.validateBounds,
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Subscription) validateName() error {
	switch {
	case strings.TrimSpace(s.Name) == "":
		return InvalidField("name", "is required")
	case LongerThan(s.Name, MaxName):
		return InvalidField("name", "is longer than %d characters", MaxName)
	case strings.ContainsFunc(s.Name, IsControl):
		return InvalidField("name", "may not hold control characters")
	}
	return nil
}

func (s *Subscription) validateEvents() error {
	if len(s.Events) == 0 {
		return InvalidField("events", "is required: name event types, as ticket.created, or patterns, as ticket.* or *")
	}
	if len(s.Events) > MaxEvents {
		return InvalidField("events", "has more than %d entries", MaxEvents)
	}
	for _, pattern := range s.Events {
		if len(pattern) > MaxEventType || !patternPattern.MatchString(pattern) {
			return InvalidField("events", "%q is neither an event type, as ticket.created, nor a pattern, as ticket.* or *", pattern)
		}
	}
	return nil
}

func (s *Subscription) validateTimeout() error {
	if s.Timeout < MinTimeout || s.Timeout > MaxTimeout {
		return InvalidField("timeout", "must be from %s to %s", MinTimeout, MaxTimeout)
	}
	return nil
}

// validateBounds checks every member against its tags. It ignores adaptive limits that are not
// enabled.
func (s *Subscription) validateBounds() error {
	checked := *s
	if !checked.Adaptive.Enabled {
		checked.Adaptive = Adaptive{}
	}
	return checkBounds(reflect.ValueOf(checked), "")
}

// ValidateTime checks a time that a caller gives in a field. Beyond these years Postgres, or JSON,
// which writes years with four digits, cannot store it. The check is made in UTC, in which it is
// stored, and after the rounding that Postgres does. The zero time means that none was given.
func ValidateTime(field string, at time.Time) error {
	if year := at.UTC().Round(time.Microsecond).Year(); year < 1 || year > 9999 {
		return InvalidField(field, "must be in the years 1 to 9999 in UTC")
	}
	return nil
}
