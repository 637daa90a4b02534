package render

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/document"
	"github.com/seed-49a43567/switchboard/webhook/render/liquid"
)

// scope is where the placeholders of one request find their values.
//
// A name is looked up, in this order, as
//   - event.id, event.type, event.timestamp or event.key, whatever the data hold: a member
//     event of theirs is ["event"];
//   - a custom field by its number without the prefix, czCol.15, in the use case's entity;
//   - a member of the data, if the use case may read it;
//   - a member of the member of the data that holds a script's variables.
type placeholders struct {
	event   *switchboard.Event
	useCase *switchboard.UseCase // nil: none, all may be read
	budget  *liquid.Budget       // pays for what takes long to look up; nil: nobody does

	decoded bool
	data    any // the event's, once decoded
}

// hiddenError is the error of a placeholder that the use case may not read.
type hiddenError struct {
	path    liquid.Path
	useCase string
}

func (e *hiddenError) Error() string {
	return fmt.Sprintf("unknown placeholder {{ %s }}: the use case %s may not read %s", e.path.Text, e.useCase, e.path.Keys[0])
}

// Lookup implements [liquid.Scope].
func (s *placeholders) Lookup(path liquid.Path) (value any, found bool, err error) {
	if isEventField(path) {
		return s.ofEvent(path.Keys[1]), true, nil
	}
	if err := s.decode(); err != nil {
		return nil, false, err
	}
	root := path.Keys[0]
	if isCustomField(path) && s.useCase != nil && s.useCase.Entity != "" && mayRead(s.useCase, s.useCase.Entity) {
		if value, found := s.find(append([]string{s.useCase.Entity}, path.Keys...)); found {
			return value, true, nil
		}
	}
	_, isMember := s.find(path.Keys[:1])
	if isMember && mayRead(s.useCase, root) {
		value, found := s.find(path.Keys)
		return value, found, nil
	}
	if variables := variablesOf(s.useCase); variables != "" {
		if value, found := s.find(append([]string{variables}, path.Keys...)); found {
			return value, true, nil
		}
	}
	if !mayRead(s.useCase, root) && (isMember || !mayBeElsewhere(path, s.useCase)) {
		return nil, false, &hiddenError{path, s.useCase.Name}
	}
	return nil, false, nil
}

func (s *placeholders) decode() error {
	if s.decoded {
		return nil
	}
	data, err := document.Decode(s.event.Data)
	if err != nil {
		return switchboard.InvalidField("data", "%s", err)
	}
	s.data, s.decoded = data, true
	return nil
}

// find goes down the data by those keys.
func (s *placeholders) find(keys []string) (value any, found bool) {
	if _, ok := s.data.(*document.Object); !ok {
		return nil, false // data that are no object have no names in them
	}
	value = s.data
	for _, key := range keys {
		if text, ok := value.(string); ok && key == sizeKey && s.budget != nil {
			s.budget.Work -= len(text) // every letter is counted; the renderer's next step says if that was too much
		}
		if value, found = step(value, key); !found {
			return nil, false
		}
	}
	return value, true
}

// sizeKey is what arrays, objects and texts have beside their own.
const sizeKey = "size"

// step is what an object, array or text has under that key.
func step(value any, key string) (any, bool) {
	size := 0
	switch value := value.(type) {
	case *document.Object:
		if member, found := value.Get(key); found {
			return member, true
		}
		size = value.Len()
	case []any:
		if index, ok := indexOf(key, len(value)); ok {
			return value[index], true
		}
		size = len(value)
	case string:
		if key == sizeKey {
			size = utf8.RuneCountInString(value)
		}
	default:
		return nil, false
	}
	return json.Number(strconv.Itoa(size)), key == sizeKey
}

// indexOf is the place in an array of that length that a key means; a negative one
// counts from the end.
func indexOf(key string, length int) (int, bool) {
	index, err := strconv.Atoi(key)
	switch key {
	case "first":
		index, err = 0, nil
	case "last":
		index, err = -1, nil
	}
	if index < 0 {
		index += length
	}
	return index, err == nil && index >= 0 && index < length
}

// ofEvent is a field of the event itself.
func (s *placeholders) ofEvent(field string) string {
	switch field {
	case "id":
		return s.event.ID
	case "type":
		return s.event.Type
	case "timestamp":
		return timeText(s.event.OccurredAt)
	}
	return s.event.Key
}

// isEventField reports whether the path is of the event itself. One whose first name
// stands in brackets is of the data.
func isEventField(path liquid.Path) bool {
	if len(path.Keys) != 2 || path.Keys[0] != "event" || strings.HasPrefix(path.Text, "[") {
		return false
	}
	switch path.Keys[1] {
	case "id", "type", "timestamp", "key":
		return true
	}
	return false
}

// isCustomField reports whether the path is a custom field by its number, as czCol.15.
func isCustomField(path liquid.Path) bool {
	return len(path.Keys) == 2 && path.Keys[1] != "" && strings.Trim(path.Keys[1], "0123456789") == ""
}

// mayRead reports whether templates of the use case may read that member of the data.
func mayRead(useCase *switchboard.UseCase, member string) bool {
	return useCase == nil || len(useCase.Reads) == 0 || slices.Contains(useCase.Reads, member)
}

// mayBeElsewhere reports whether a path that is no member of the data may still have
// a value: as a custom field, or as a script's variable.
func mayBeElsewhere(path liquid.Path, useCase *switchboard.UseCase) bool {
	return isCustomField(path) && useCase.Entity != "" || useCase.Variables != ""
}

// variablesOf names the member of the data that holds a script's variables.
func variablesOf(useCase *switchboard.UseCase) string {
	if useCase == nil {
		return "variables"
	}
	return useCase.Variables
}
