package bench

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

// listTime is how long a list takes.
type listTime struct {
	Name  string  `json:"name"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	CPU   float64 `json:"cpu_ms"` // of Postgres and Switchboard, for each call: the machine's other work hardly affects it
	Bound float64 `json:"bound_ms"`
}

func (l listTime) lines(kind string) []line {
	return []line{info("p50 ms: "+kind+" "+l.Name, "%.0f", l.P50), info("  CPU ms", "%.1f", l.CPU), atMost("  p95", l.P95, l.Bound, "%.0f")}
}

// The limits of lists in milliseconds: lists by state, others, and those that search back in slices
// of time and may answer with a part.
const (
	boundByState = 50
	boundOthers  = 150
	boundSlices  = 2500
	listTries    = 20
)

// timeLists times the lists of a console, each for several tenants.
func (b *bench) timeLists(ctx context.Context, d *historyDatabase) ([]listTime, error) {
	failed, retrying := switchboard.StateFailed, switchboard.StateRetrying
	var calls []timedCall
	for _, l := range []struct {
		name   string
		filter switchboard.DeliveryFilter
		bound  float64
	}{
		{"newest", switchboard.DeliveryFilter{}, boundOthers},
		{"of a tenant", switchboard.DeliveryFilter{Tenant: "seed"}, boundOthers},
		{"of a subscription", switchboard.DeliveryFilter{Subscription: "seed"}, boundOthers},
		{"retrying", switchboard.DeliveryFilter{States: []switchboard.State{retrying}}, boundByState},
		{"failed and retrying", switchboard.DeliveryFilter{States: []switchboard.State{failed, retrying}}, boundByState},
		{"failed of a tenant", switchboard.DeliveryFilter{Tenant: "seed", States: []switchboard.State{failed}}, boundByState},
		{"failed of a host", switchboard.DeliveryFilter{Host: "seed", States: []switchboard.State{failed}}, boundByState},
		{"failed with 410", switchboard.DeliveryFilter{StatusCode: 410, States: []switchboard.State{failed}}, boundSlices},
		{"by failure", switchboard.DeliveryFilter{Failure: switchboard.FailureHTTP5xx}, boundOthers},
		{"of an event", switchboard.DeliveryFilter{Event: "seed"}, boundOthers},
		{"of a type that there is none of", switchboard.DeliveryFilter{EventType: "no.such.type"}, boundSlices},
		{"by text", switchboard.DeliveryFilter{Text: "nothing-holds-this"}, boundSlices},
	} {
		calls = append(calls, timedCall{name: "list: " + l.name, bound: l.bound, call: func(try int) error {
			_, err := d.Deliveries(ctx, switchboard.Caller{Role: switchboard.RoleAdmin}, seeded(l.filter, try), switchboard.PageRequest{})
			return err
		}})
	}
	return b.timeCalls(ctx, calls)
}
