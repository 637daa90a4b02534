package api

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

const (
	// openStatusAge is the maximum age of the counts of what is open. They take up to 0.2 s.
	openStatusAge = 5 * time.Second
	// failureGroupsAge is the maximum age of the groups. They take up to 1.5 s. When little fails,
	// they take less than 0.1 s and are only kept for leastFailureGroupsAge, so that a newly
	// failing endpoint shows soon.
	failureGroupsAge, leastFailureGroupsAge = 15 * time.Second, 2 * time.Second
	// trafficAge is the maximum age of a chart of outcomes. Its data are counted every 15 seconds,
	// and 30 days take up to 140 ms.
	trafficAge = 10 * time.Second
)

type trafficInput struct {
	By           string         `query:"by" enum:"outcome,failure,status_code,host,subscription" default:"outcome" doc:"How attempts are grouped"`
	From         rest.TimeParam `query:"from" doc:"Attempts from this time on. Default: 24 hours before to. Counts are kept for 400 days; by tenant, subscription or host for 35"`
	To           rest.TimeParam `query:"to" doc:"Attempts before this time. Default: now"`
	Step         string         `query:"step" doc:"Length of a step: 1m, 5m, 15m and the like within the last 48 hours; otherwise, and by tenant, subscription or host, whole hours such as 1h or 1d. Default: a length that gives at most 120 steps" example:"1h"`
	Tenant       string         `query:"tenant" doc:"Only this tenant"`
	Subscription string         `query:"subscription" doc:"Only attempts of deliveries to this subscription"`
}

func (s *server) getStats(ctx context.Context, caller switchboard.Caller, in *trafficInput) (*reply[switchboard.Traffic], error) {
	q := switchboard.TrafficQuery{By: switchboard.TrafficBy(in.By), From: in.From.Time, To: in.To.Time, Subscription: in.Subscription}
	var err error
	if q.Tenant, err = tenantFilter(caller, in.Tenant); err != nil {
		return nil, err
	}
	if in.Step != "" {
		if q.Step, err = switchboard.ParseDuration(in.Step); err != nil || q.Step <= 0 {
			return nil, switchboard.InvalidField("step", "must be a duration such as 5m, 1h or 1d")
		}
	}
	load := func(ctx context.Context) (switchboard.Traffic, error) { return s.Store.Traffic(ctx, caller, q) }
	if q.By != switchboard.TrafficByOutcome { // up to fifty groups, which are too many to keep
		found, err := load(ctx)
		return &reply[switchboard.Traffic]{Body: found}, err
	}
	found, err := s.traffic.get(ctx, scopeOf(caller, q.Tenant)+scope(fmt.Sprintf("\x00%q from %s to %s by %s", q.Subscription, q.From, q.To, q.Step)), load)
	return &reply[switchboard.Traffic]{Body: found}, err
}

type openStatusInput struct {
	Tenant string `query:"tenant" doc:"Only this tenant"`
}

func (s *server) getStatsNow(ctx context.Context, caller switchboard.Caller, in *openStatusInput) (*reply[switchboard.OpenStatus], error) {
	tenant, err := tenantFilter(caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	found, err := s.openStatus.get(ctx, scopeOf(caller, tenant), func(ctx context.Context) (switchboard.OpenStatus, error) {
		return s.Store.OpenStatus(ctx, caller, tenant)
	})
	return &reply[switchboard.OpenStatus]{Body: found}, err
}

type failureGroupsInput struct {
	Tenant string `query:"tenant" doc:"Only this tenant"`
	Limit  int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of groups"`
}

func (s *server) getFailures(ctx context.Context, caller switchboard.Caller, in *failureGroupsInput) (*reply[switchboard.FailureGroups], error) {
	tenant, err := tenantFilter(caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	found, err := s.failureGroups.get(ctx, scopeOf(caller, tenant), func(ctx context.Context) (switchboard.FailureGroups, error) {
		found, err := s.Store.FailureGroups(ctx, caller, tenant)
		if len(found.Groups) > switchboard.MaxPage { // no more is ever shown
			found.Groups, found.More = found.Groups[:switchboard.MaxPage:switchboard.MaxPage], true
		}
		return found, err
	})
	if len(found.Groups) > in.Limit {
		found.Groups, found.More = found.Groups[:in.Limit], true
	}
	return &reply[switchboard.FailureGroups]{Body: found}, err
}
