package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
)

// attributes is a Temporal that knows search attributes, or refuses to.
type attributes struct {
	client.Client
	operatorservice.OperatorServiceClient
	known     map[string]enumspb.IndexedValueType
	list, add error
	added     []string
}

func (a *attributes) OperatorService() operatorservice.OperatorServiceClient { return a }

func (a *attributes) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: a.known}, a.list
}

func (a *attributes) AddSearchAttributes(_ context.Context, in *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	for name, kind := range in.GetSearchAttributes() {
		a.added = append(a.added, fmt.Sprintf("%s %s", name, kind))
	}
	slices.Sort(a.added)
	return nil, a.add
}

// TestSearchAttributes: missing ones are registered; one with another type is never used.
func TestSearchAttributes(t *testing.T) {
	t.Parallel()
	const keyword, text = enumspb.INDEXED_VALUE_TYPE_KEYWORD, enumspb.INDEXED_VALUE_TYPE_TEXT
	all := map[string]enumspb.IndexedValueType{"SwitchboardTenant": keyword, "SwitchboardSubscription": keyword, "SwitchboardEventType": keyword, "SwitchboardEventId": keyword}
	with := func(name string, kind enumspb.IndexedValueType) map[string]enumspb.IndexedValueType {
		changed := maps.Clone(all)
		changed[name] = kind
		return changed
	}
	without := func(name string) map[string]enumspb.IndexedValueType {
		changed := maps.Clone(all)
		delete(changed, name)
		return changed
	}
	everything := "SwitchboardEventId Keyword,SwitchboardEventType Keyword,SwitchboardSubscription Keyword,SwitchboardTenant Keyword"
	denied := serviceerror.NewPermissionDenied("no", "")
	for _, test := range []struct {
		name   string
		server attributes
		added  string
		says   string // by the one that prepares a server
		worker string // by a worker's
	}{
		{"none", attributes{}, everything, "", ""},
		{"one is missing", attributes{known: without("SwitchboardTenant")}, "SwitchboardTenant Keyword", "", ""},
		{"all are there", attributes{known: all}, "", "", ""},
		{"others are there", attributes{known: with("Colour", text)}, "", "", ""},
		{"one of another type", attributes{known: with("SwitchboardTenant", text)}, "", "SwitchboardTenant is of type Text", "SwitchboardTenant is of type Text"},
		{"may not be listed", attributes{list: denied}, "", "no", ""},
		{"may not be added", attributes{add: denied}, everything, "no", ""},
		{"the call is unknown", attributes{list: serviceerror.NewUnimplemented("unknown")}, "", "unknown", ""},
		{"Temporal is away", attributes{list: errors.New("away")}, "", "away", "away"},
	} {
		server := test.server
		added, err := EnsureSearchAttributes(t.Context(), &server, "acme")
		if got := strings.Join(server.added, ","); got != test.added {
			t.Errorf("%s: registered %q, want %q", test.name, got, test.added)
		}
		if !says(err, test.says) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
		if err == nil && len(added) != len(server.added) {
			t.Errorf("%s: says that it added %q", test.name, added)
		}
		server = test.server
		if err := registerAttributes(t.Context(), &server, "acme", slog.New(slog.DiscardHandler)); !says(err, test.worker) {
			t.Errorf("%s, in a worker: %v, want %q", test.name, err, test.worker)
		}
	}
}

// says reports whether an error has those words; none: there is no error.
func says(err error, words string) bool {
	if words == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), words)
}
