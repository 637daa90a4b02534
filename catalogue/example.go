package catalogue

import (
	"encoding/json"
	"strings"
)

// Example is a sample of an event type together with the receiver's request body.
type Example struct {
	Platform  string
	EventType string
	Name      string          // distinguishes it from other examples of its type
	Data      json.RawMessage // what the platform posts
	Body      json.RawMessage // the receiver's body; nil: the data unchanged. Times in it are only examples
	XML       string          // the receiver's body for subscriptions that want XML; empty: the platform has none
	Script    *Script         // the webhook script that turns Data into Body; nil: the profile does
}

// Script is a webhook script as a customer writes it. A subscription with its use case and its
// request turns an example's data into its body.
type Script struct {
	UseCase string          `json:"use_case"` // in the platform's spelling
	Request json.RawMessage `json:"request"`  // a partial request in the API's form, without a URL
}

// Examples returns the examples in the data files for a platform, or for all platforms if platform
// is empty.
func (c *Catalogue) Examples(platform string) []Example {
	examples := []Example{}
	for _, e := range c.examples {
		if platform == "" || strings.EqualFold(e.Platform, platform) {
			examples = append(examples, e)
		}
	}
	return examples
}

func (t *eventType) examples(platform string) []Example {
	examples := make([]Example, 0, len(t.Samples))
	for _, s := range t.Samples {
		examples = append(examples, Example{
			Platform: platform, EventType: t.Name, Name: s.Name,
			Data: compact(s.Data), Body: compact(s.Body), XML: s.XML, Script: s.Script,
		})
	}
	return examples
}
