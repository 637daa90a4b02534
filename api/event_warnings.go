package api

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/filter"
)

// maxEventWarnings bounds the warnings about a subscription's events: it may name 200.
const maxEventWarnings = 10

// eventWarnings says which of a subscription's event types, and which parts of its filter,
// may never match an event. None is an error: tenants and event types need not be known
// before they are posted. Only what differs from before is checked.
func (s *server) eventWarnings(ctx context.Context, caller switchboard.Caller, before, after *switchboard.Subscription) ([]string, error) {
	sameEvents := slices.Equal(before.Events, after.Events)
	if sameEvents && bytes.Equal(before.Filter, after.Filter) {
		return nil, nil
	}
	var warnings []string
	if !sameEvents {
		usage, err := s.Store.TenantUsage(ctx, caller, after.Tenant)
		if err != nil {
			return nil, err
		}
		if before.ID == "" && caller.Tenant == "" && !usage.Known && after.Tenant != switchboard.OperatorTenant { // a bound key's tenant is known
			warnings = append(warnings, fmt.Sprintf("tenant: no event, subscription or key names %q yet; events reach the subscription under exactly this name", after.Tenant))
		}
		warnings = append(warnings, s.unknownTypes(after, usage.EventTypes)...)
	}
	f, err := filter.Parse(after.Filter)
	if err != nil {
		return nil, err
	}
	return append(warnings, f.Check(after.Tenant, s.typesOf(after))...), nil
}

// typesOf lists the catalogue's event types that the subscription takes. Without a
// platform, * does not say whose events they are, and is left out.
func (s *server) typesOf(sub *switchboard.Subscription) []switchboard.EventType {
	named := *sub
	if sub.Profile == "" {
		named.Events = definite(sub.Events)
	}
	return slices.DeleteFunc(s.Catalogue.EventTypes(sub.Profile), func(t switchboard.EventType) bool {
		return !named.Wants(t.Name) || !t.SuitsUseCase(sub.UseCase)
	})
}

// definite returns the patterns without *, which takes every type.
func definite(events []string) []string {
	return slices.DeleteFunc(slices.Clone(events), func(pattern string) bool { return pattern == "*" })
}

// unknownTypes warns of event types and patterns that match neither the catalogue nor what
// was posted for the tenant lately.
func (s *server) unknownTypes(sub *switchboard.Subscription, posted []string) (warnings []string) {
	known := []string{testType}
	for _, t := range slices.Concat(s.Catalogue.EventTypes(sub.Profile), s.Catalogue.EventTypes(switchboard.OperationalPlatform)) {
		known = append(known, t.Name)
	}
	platform := "the catalogue"
	if sub.Profile != "" {
		platform += " of " + sub.Profile
	}
	for i, pattern := range sub.Events {
		fits := func(eventType string) bool { return takes(pattern, eventType) }
		if pattern == "*" || slices.ContainsFunc(known, fits) || slices.ContainsFunc(posted, fits) {
			continue
		}
		if len(warnings) == maxEventWarnings {
			return append(warnings, "events: there are more warnings than these")
		}
		warning := fmt.Sprintf("events[%d]: %s takes no event type of %s, and none that was posted for the tenant lately", i, rest.Clip(pattern), platform)
		if near := switchboard.Nearest(pattern, append(patterns(known), posted...)); near != "" {
			warning += "; is " + near + " meant?"
		}
		warnings = append(warnings, warning)
	}
	return warnings
}

// patterns are the names and the patterns that match them.
func patterns(names []string) []string {
	all := slices.Clone(names)
	for _, name := range names {
		for i, r := range name {
			if r == '.' {
				all = append(all, name[:i]+".*")
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
