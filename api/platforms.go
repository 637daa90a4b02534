package api

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// platform is a platform in the form of the API.
type platform struct {
	Name     string          `json:"name" doc:"The name in a subscription's profile" example:"signalzen"`
	Title    string          `json:"title" example:"SignalZen"`
	Homepage string          `json:"homepage" doc:"May be empty" example:"https://signalzen.com"`
	Profile  json.RawMessage `json:"profile" doc:"The defaults that make a subscription's requests look like this platform's" example:"{\"request\":{\"body\":\"envelope\"}}"`
	UseCases []string        `json:"use_cases" nullable:"false" doc:"Use cases of its event types" example:"contact"`
}

type platformList struct {
	Data       []platform `json:"data" nullable:"false" doc:"Sorted by name"`
	NextCursor *string    `json:"next_cursor" doc:"Send it as cursor to get the next page; null: this is the last page"`
}

type platformsInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor string `query:"cursor" doc:"next_cursor of the previous page"`
}

func (s *server) listPlatforms(_ context.Context, _ switchboard.Caller, in *platformsInput) (*reply[platformList], error) {
	found, next, err := rest.PageWithin(s.Catalogue.Platforms(), in.Limit, in.Cursor, func(p *switchboard.Platform) string { return p.Name })
	if err != nil {
		return nil, err
	}
	list := platformList{Data: []platform{}, NextCursor: next}
	for _, p := range found {
		list.Data = append(list.Data, platform{p.Name, p.Title, p.Homepage, p.Profile, s.useCasesOf(p.Name)})
	}
	return &reply[platformList]{Body: list}, nil
}

// useCasesOf returns the use cases of a platform's event types.
func (s *server) useCasesOf(platform string) []string {
	names := []string{}
	for _, t := range s.Catalogue.EventTypes(platform) {
		names = append(names, t.UseCases...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
