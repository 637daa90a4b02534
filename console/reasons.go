package console

import "github.com/seed-49a43567/switchboard"

const (
	// offeredReasons is how many of the reasons that somebody gave before are offered again.
	offeredReasons = 5
	// searchedReasons is how many of their latest actions are searched for these.
	searchedReasons = 50
)

// lastReasons are the last reasons that this person gave, each once. Whoever may not read the audit
// has none, and neither has anybody while it cannot be read: the form works without.
func (v *visit) lastReasons() []string {
	caller := v.session.Caller
	if caller.Role != switchboard.RoleAdmin && caller.Role != switchboard.RoleSupport {
		return nil
	}
	filter := switchboard.AuditFilter{Actor: caller.KeyID, Person: caller.Person}
	done, err := v.api.ListActions(v.request.Context(), filter, switchboard.PageRequest{Limit: searchedReasons})
	if err != nil {
		return nil
	}
	return distinctReasons(done.Items)
}

// distinctReasons are the reasons of the newest actions, each once.
func distinctReasons(done []switchboard.AuditEntry) []string {
	var reasons []string
	seen := map[string]bool{"": true}
	for _, e := range done {
		if !seen[e.Reason] && len(reasons) < offeredReasons {
			seen[e.Reason] = true
			reasons = append(reasons, e.Reason)
		}
	}
	return reasons
}
