package api

import (
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// tenantFilter is the tenant to look into: the one asked for, if the key's scope
// has it, else the key's own.
func tenantFilter(caller switchboard.Caller, asked string) (string, error) {
	if asked == "" {
		return caller.Tenant, nil
	}
	return asked, caller.CheckTenant(asked)
}

// date is the time as JSON shows it: null where there is none.
func date(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// reasonInput is what an operator may say about an action.
type reasonInput struct {
	Reason string `json:"reason,omitempty" doc:"Why, in your own words; kept with the action" example:"receiver fixed" maxLength:"500"`
}

// requiredReasonInput is what an operator has to say about an action that keeps deliveries from
// being sent, or ends them.
type requiredReasonInput struct {
	Reason string `json:"reason" doc:"Why, in your own words: whoever finds it done reads it" example:"receiver is being migrated" maxLength:"500"`
}

const maxReason = 500

// checkRequiredReason is checkReason where there has to be one.
func checkRequiredReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return switchboard.InvalidField("reason", "is required: say why, for whoever finds it done")
	}
	return checkReason(reason)
}

// checkReason refuses what a list of actions could not show.
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
