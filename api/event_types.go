package api

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

type eventTypesInput struct {
	Platform string `query:"platform" doc:"Only event types of this platform" example:"signalzen"`
	Entity   string `query:"entity" doc:"Only event types about this entity" example:"ticket"`
	UseCase  string `query:"use_case" doc:"Only event types that subscriptions with this use case may render" example:"contact"`
	Limit    int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor   string `query:"cursor" doc:"next_cursor of the previous page"`
	Text     string `query:"text" maxLength:"200" doc:"Only event types with this text in the name, the platform's spelling, the entity or the description; case does not matter"`
}

// eventTypeList is a page, sorted by name.
type eventTypeList struct {
	Data       []eventType `json:"data" nullable:"false" doc:"Sorted by platform and name"`
	NextCursor *string     `json:"next_cursor" doc:"Send it as cursor to get the next page; null: this is the last page"`
}

func (s *server) listEventTypes(_ context.Context, _ switchboard.Caller, in *eventTypesInput) (*reply[eventTypeList], error) {
	useCase := s.useCaseName(in.UseCase)
	var found []switchboard.EventType
	for _, t := range s.Catalogue.EventTypes(in.Platform) {
		if in.Entity != "" && !strings.EqualFold(t.Entity, in.Entity) || !holds(&t, in.Text) {
			continue
		}
		if in.UseCase != "" && !slices.ContainsFunc(t.UseCases, func(name string) bool { return s.useCaseName(name) == useCase }) {
			continue
		}
		found = append(found, t)
	}
	found, next, err := rest.PageWithin(found, in.Limit, in.Cursor, func(t *switchboard.EventType) string { return t.Platform + "\x00" + t.Name })
	if err != nil {
		return nil, err
	}
	list := eventTypeList{Data: []eventType{}, NextCursor: next}
	for i := range found {
		list.Data = append(list.Data, eventTypeOf(&found[i]))
	}
	return &reply[eventTypeList]{Body: list}, nil
}

// useCaseName returns the name of the use case, for which a platform may have another name.
func (s *server) useCaseName(alias string) string {
	if u, known := s.Catalogue.UseCase(alias); known {
		return u.Name
	}
	return alias
}

func holds(t *switchboard.EventType, text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc([]string{t.Name, t.VendorName, t.Entity, t.Description}, func(field string) bool {
		return strings.Contains(strings.ToLower(field), text)
	})
}

type eventTypePath struct {
	Platform string `path:"platform" doc:"Platform of the event type" example:"iomnihub"`
	Name     string `path:"name" doc:"Name of the event type" example:"ticket.created"`
}

func (s *server) getEventType(_ context.Context, _ switchboard.Caller, in *eventTypePath) (*reply[eventType], error) {
	t, err := s.eventType(in)
	if err != nil {
		return nil, err
	}
	return &reply[eventType]{Body: eventTypeOf(&t)}, nil
}

func (s *server) eventType(in *eventTypePath) (switchboard.EventType, error) {
	t, known := s.Catalogue.EventType(in.Platform, in.Name)
	if !known {
		return t, switchboard.Errorf(switchboard.CodeNotFound, "the platform has no event type of this name")
	}
	return t, nil
}

type putEventTypeInput struct {
	Platform string `path:"platform" doc:"Platform of the event type" example:"iomnihub"`
	Name     string `path:"name" doc:"Name of the event type" example:"ticket.created"`
	payload[eventTypeInput]
}

func (in *putEventTypeInput) path() *eventTypePath { return &eventTypePath{in.Platform, in.Name} }

func (s *server) putEventType(ctx context.Context, caller switchboard.Caller, in *putEventTypeInput) (*reply[eventType], error) {
	if err := ownsCatalogue(caller); err != nil {
		return nil, err
	}
	t := s.namedAt(in.path())
	in.JSON.merge(&t)
	if err := s.Catalogue.CheckEventType(t); err != nil {
		return nil, err
	}
	if err := s.Store.SaveEventType(ctx, caller, t); err != nil {
		return nil, err
	}
	s.refreshCatalogue(ctx)
	return &reply[eventType]{Body: eventTypeOf(&t)}, nil
}

// namedAt returns an event type with only the names in the path. If the catalogue has them, they
// have its spelling.
func (s *server) namedAt(in *eventTypePath) switchboard.EventType {
	if known, ok := s.Catalogue.EventType(in.Platform, in.Name); ok {
		return switchboard.EventType{Platform: known.Platform, Name: known.Name}
	}
	return switchboard.EventType{Platform: in.Platform, Name: in.Name}
}

// patchEventType changes the stored type, because this process may know an older version.
func (s *server) patchEventType(ctx context.Context, caller switchboard.Caller, in *putEventTypeInput) (*reply[eventType], error) {
	if err := ownsCatalogue(caller); err != nil {
		return nil, err
	}
	if err := s.Catalogue.Refresh(ctx); err != nil { // another process may have added or deleted it
		return nil, err
	}
	known, err := s.eventType(in.path())
	if err != nil {
		return nil, err
	}
	t, err := s.Store.ChangeEventType(ctx, caller, known, func(t *switchboard.EventType) error {
		in.JSON.merge(t)
		return s.Catalogue.CheckEventType(*t)
	})
	if err != nil {
		return nil, err
	}
	s.refreshCatalogue(ctx)
	return &reply[eventType]{Body: eventTypeOf(&t)}, nil
}

func (s *server) deleteEventType(ctx context.Context, caller switchboard.Caller, in *eventTypePath) (*empty, error) {
	if err := ownsCatalogue(caller); err != nil {
		return nil, err
	}
	t := s.namedAt(in)
	if err := s.Store.DeleteEventType(ctx, caller, t.Platform, t.Name); err != nil {
		return nil, err
	}
	s.refreshCatalogue(ctx)
	return &empty{}, nil
}

// ownsCatalogue refuses keys that are bound to a tenant, because all tenants share the catalogue.
func ownsCatalogue(caller switchboard.Caller) error {
	if caller.Tenant == "" {
		return nil
	}
	return switchboard.Errorf(switchboard.CodeForbidden, "a key that is bound to a tenant may not change the catalogue: all tenants share it")
}

// refreshCatalogue makes a change visible in this process at once; other processes see it within
// seconds. The caller gets no error if it fails, because the change is already stored.
func (s *server) refreshCatalogue(ctx context.Context) {
	if err := s.Catalogue.Refresh(context.WithoutCancel(ctx)); err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "stored, but the catalogue does not show it yet",
			slog.String("request_id", rest.RequestID(ctx)), slog.String("error", err.Error()))
	}
}
