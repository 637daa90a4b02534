package api

import (
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// tenantFilter returns the tenant to look into: the requested one if it is in the key's scope, or
// else the key's own.
func tenantFilter(caller switchboard.Caller, asked string) (string, error) {
	if asked == "" {
		return caller.Tenant, nil
	}
	return asked, caller.CheckTenant(asked)
}

// date returns the time in the form for JSON: null if it is zero.
func date(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// reasonInput is an optional reason of an operator for an action.
type reasonInput struct {
	Reason string `json:"reason,omitempty" doc:"The reason, in your own words; stored with the action" example:"receiver fixed" maxLength:"500"`
}

// requiredReasonInput is the required reason of an operator for an action that stops or ends
// deliveries.
type requiredReasonInput struct {
	Reason string `json:"reason" doc:"The reason, in your own words, for people who see the result" example:"receiver is being migrated" maxLength:"500"`
}

const maxReason = 500

// checkRequiredReason is checkReason for a required reason.
func checkRequiredReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return switchboard.InvalidField("reason", "is required: say why, for whoever finds it done")
	}
	return checkReason(reason)
}

// checkReason refuses text that a list of actions cannot show.
func checkReason(reason string) error {
	switch {
	case switchboard.LongerThan(reason, maxReason):
		return switchboard.InvalidField("reason", "is longer than %d characters", maxReason)
	case strings.ContainsFunc(reason, isControl):
		return switchboard.InvalidField("reason", "may not hold control characters")
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || r == 0x7f }
