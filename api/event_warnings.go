package api

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/filter"
)

// maxEventWarnings limits the warnings about a subscription's events, because it may name 200.
const maxEventWarnings = 10

// eventWarnings says which event types and which parts of the filter of a subscription may never
// match an event, and which of its events have no key for ordering or superseding. These are no
// errors: tenants and event types need not be known before they are posted. It only checks what
// differs from before.
func (s *server) eventWarnings(ctx context.Context, caller switchboard.Caller, before, after *switchboard.Subscription) (warnings []string, err error) {
	sameEvents, sameFilter, sameKeys := slices.Equal(before.Events, after.Events), bytes.Equal(before.Filter, after.Filter), byKey(before) == byKey(after)
	if !sameEvents || !sameKeys {
		usage, err := s.Store.TenantUsage(ctx, caller, after.Tenant)
		if err != nil {
			return nil, err
		}
		if !sameEvents {
			if before.ID == "" && caller.Tenant == "" && !usage.Known && after.Tenant != switchboard.OperatorTenant { // the tenant of a bound key is known
				warnings = append(warnings, fmt.Sprintf("tenant: no event, subscription or key names %q yet; events reach the subscription under exactly this name", after.Tenant))
			}
			warnings = append(warnings, s.unknownTypes(after, usage.EventTypes)...)
		}
		warnings = append(warnings, keyWarnings(after, usage.Keyless)...)
	}
	if sameEvents && sameFilter {
		return warnings, nil
	}
	f, err := filter.Parse(after.Filter)
	if err != nil {
		return nil, err
	}
	return append(warnings, f.Check(after.Tenant, s.typesOf(after))...), nil
}

// byKey returns the names of the members that make the subscription treat events of one key
// together.
func byKey(sub *switchboard.Subscription) string {
	var members []string
	if sub.Ordering == switchboard.OrderingKey {
		members = append(members, "ordering")
	}
	if sub.Supersede {
		members = append(members, "supersede")
	}
	return strings.Join(members, ", ")
}

// keyWarnings warns of events without a key if the subscription treats events of one key together.
// keyless are the types of which no recent event had a key.
func keyWarnings(sub *switchboard.Subscription, keyless []string) []string {
	members := byKey(sub)
	keyless = slices.DeleteFunc(slices.Clone(keyless), func(name string) bool { return !sub.Wants(name) || switchboard.IsOperational(name) })
	if members == "" || len(keyless) == 0 {
		return nil
	}
	more := ""
	if len(keyless) > maxEventWarnings {
		keyless, more = keyless[:maxEventWarnings], " and others"
	}
	for i := range keyless {
		keyless[i] = rest.Clip(keyless[i])
	}
	return []string{fmt.Sprintf("%s: of %s%s no event that was posted lately had a key, and events without one are sent as if there were no %s", members, strings.Join(keyless, ", "), more, members)}
}

// typesOf returns the catalogue's event types that the subscription receives. Without a platform, *
// does not say whose events it means, and is ignored.
func (s *server) typesOf(sub *switchboard.Subscription) []switchboard.EventType {
	named := *sub
	if sub.Profile == "" {
		named.Events = definite(sub.Events)
	}
	return slices.DeleteFunc(s.Catalogue.EventTypes(sub.Profile), func(t switchboard.EventType) bool {
		return !named.Wants(t.Name) || !t.SuitsUseCase(sub.UseCase)
	})
}

// definite returns the patterns except *, which matches every type.
func definite(events []string) []string {
	return slices.DeleteFunc(slices.Clone(events), func(pattern string) bool { return pattern == "*" })
}

// unknownTypes warns of event types and patterns that match neither the catalogue nor the tenant's
// recent events.
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

// patterns holds names, and patterns that match names.
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
