package console

import "github.com/seed-49a43567/switchboard"

const (
	// offeredReasons is how many of a person's earlier reasons are offered again.
	offeredReasons = 5
	// searchedReasons is how many of the person's latest actions are searched for them.
	searchedReasons = 50
)

// lastReasons returns the last reasons of this person, without duplicates. It returns none for
// people who may not read the audit, or if the audit cannot be read: the form works without them.
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

// distinctReasons returns the reasons of the newest actions, without duplicates.
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
