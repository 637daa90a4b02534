package api

import (
	_ "embed"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/ingest"
)

// The types of package rest that handlers use.
type (
	payload[T any] = rest.Payload[T]
	reply[T any]   = rest.Reply[T]
	page[T any]    = rest.Page[T]
	empty          = rest.Empty
)

// proseDocument holds the texts of the operations, by operation id.
//
//go:embed prose.md
var proseDocument string

// server holds what the handlers share. Its config is complete and does not change after New.
type server struct {
	Config
	rest   *rest.Server
	ingest *ingest.Ingester
	waits  chan struct{} // one element for each call that waits for a receiver's answer

	openStatus    *snapshots[switchboard.OpenStatus]
	failureGroups *snapshots[switchboard.FailureGroups]
	traffic       *snapshots[switchboard.Traffic]
}

// API is the HTTP API.
type API struct {
	handler http.Handler
	rest    *rest.Server
}

// ServeHTTP answers a request from the network.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Transport makes requests to the API without the network, as that caller; see
// [rest.Server.Transport].
func (a *API) Transport(caller switchboard.Caller) http.RoundTripper { return a.rest.Transport(caller) }

// New makes the HTTP API. The error names the field of the config at fault.
func New(config Config) (*API, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	words, err := rest.ParseProse(strings.ReplaceAll(proseDocument, "{max_batch}", strconv.Itoa(config.MaxBatch)))
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	layer, err := rest.New(rest.Config{
		Store: config.Store, Meter: config.Meter, Tracer: config.Tracer, Classes: config.Classes, Logger: config.Logger, RefusedKeys: config.RefusedKeys, CostlyCalls: config.CostlyCalls,
		Version: config.Version, Prose: words, Members: problemMembers{},
	})
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	ingester, err := ingest.New(ingest.Config{
		Store: config.Store, Dispatcher: config.Engine, Schemas: config.Catalogue, Validation: config.Validation, MaxData: config.MaxData, Classes: config.Classes, Meter: config.Meter,
	})
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	openStatus, err := newSnapshots[switchboard.OpenStatus](openStatusAge, openStatusAge)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	failures, err := newSnapshots[switchboard.FailureGroups](leastFailureGroupsAge, failureGroupsAge)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	traffic, err := newSnapshots[switchboard.Traffic](trafficAge, trafficAge)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	s := &server{
		Config: config, rest: layer, ingest: ingester, waits: make(chan struct{}, maxWaits),
		openStatus: openStatus, failureGroups: failures, traffic: traffic,
	}
	serveHealth(layer.Mount, s.Ready, s.Metrics)
	handler, err := layer.Handler(s.routes())
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return &API{handler, layer}, nil
}

// spendChallenge takes the cost of saving a subscription that makes us send requests: a challenge
// to its address, or a call to its token endpoint.
func (s *server) spendChallenge(caller switchboard.Caller, sub *switchboard.Subscription) error {
	if sub.Verification != switchboard.VerificationChallenge && sub.Auth.Type != switchboard.AuthOAuth2 {
		return nil
	}
	return s.rest.Spend(caller, rest.MaxCost)
}
