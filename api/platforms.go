package api

import (
	"context"
	"encoding/json"
	"slices"

	"switchboard"
)

// platform is a platform as it is shown.
type platform struct {
	Name     string          `json:"name" doc:"As a subscription's profile names it" example:"signalzen"`
	Title    string          `json:"title" example:"SignalZen"`
	Homepage string          `json:"homepage" doc:"May be empty" example:"https://signalzen.com"`
	Profile  json.RawMessage `json:"profile" doc:"The members of a subscription that make it this platform's" example:"{\"request\":{\"body\":\"envelope\"}}"`
	UseCases []string        `json:"use_cases" nullable:"false" doc:"Of its event types" example:"contact"`
}

type platformList struct {
	Data       []platform `json:"data" nullable:"false" doc:"By name"`
	NextCursor *string    `json:"next_cursor" doc:"Always null: all are in one page"`
}

func (s *server) listPlatforms(context.Context, switchboard.Caller, *struct{}) (*reply[platformList], error) {
	list := platformList{Data: []platform{}}
	for _, p := range s.Catalogue.Platforms() {
		list.Data = append(list.Data, platform{p.Name, p.Title, p.Homepage, p.Profile, s.useCasesOf(p.Name)})
	}
	return &reply[platformList]{list}, nil
}

// useCasesOf lists the use cases of a platform's event types.
func (s *server) useCasesOf(platform string) []string {
	names := []string{}
	for _, t := range s.Catalogue.EventTypes(platform) {
		names = append(names, t.UseCases...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
