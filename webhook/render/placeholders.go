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

// placeholders looks up the values of the placeholders of one request.
//
// It looks up a name, in this order, as
//   - event.id, event.type, event.timestamp or event.key, whatever the data contain: a member
//     of the data with the name event is written ["event"];
//   - a custom field by its number without the prefix, czCol.15, in the use case's entity;
//   - a member of the data, if the use case may read it;
//   - a member of the object in the data that holds a script's variables.
type placeholders struct {
	event   *switchboard.Event
	useCase *switchboard.UseCase // nil: there is none, and everything may be read
	budget  *liquid.Budget       // counts expensive lookups; nil: they are not counted

	decoded bool // data is set
	data    any  // the event's data
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
func (p *placeholders) Lookup(path liquid.Path) (value any, found bool, err error) {
	if isEventField(path) {
		return p.eventField(path.Keys[1]), true, nil
	}
	if err := p.decode(); err != nil {
		return nil, false, err
	}
	root := path.Keys[0]
	if isCustomField(path) && p.useCase != nil && p.useCase.Entity != "" && mayRead(p.useCase, p.useCase.Entity) {
		if value, found := p.find(append([]string{p.useCase.Entity}, path.Keys...)); found {
			return value, true, nil
		}
	}
	_, isMember := p.find(path.Keys[:1])
	if isMember && mayRead(p.useCase, root) {
		value, found := p.find(path.Keys)
		return value, found, nil
	}
	if variables := variablesOf(p.useCase); variables != "" {
		if value, found := p.find(append([]string{variables}, path.Keys...)); found {
			return value, true, nil
		}
	}
	if !mayRead(p.useCase, root) && (isMember || !mayBeElsewhere(path, p.useCase)) {
		return nil, false, &hiddenError{path, p.useCase.Name}
	}
	return nil, false, nil
}

func (p *placeholders) decode() error {
	if p.decoded {
		return nil
	}
	data, err := document.Decode(p.event.Data)
	if err != nil {
		return switchboard.InvalidField("data", "%s", err)
	}
	p.data, p.decoded = data, true
	return nil
}

// find follows the keys down the data.
func (p *placeholders) find(keys []string) (value any, found bool) {
	if _, ok := p.data.(*document.Object); !ok {
		return nil, false // only an object has names
	}
	value = p.data
	for _, key := range keys {
		if text, ok := value.(string); ok && key == sizeKey && p.budget != nil {
			p.budget.Work -= len(text) // counting reads every letter; the template's next step checks the budget
		}
		if value, found = step(value, key); !found {
			return nil, false
		}
	}
	return value, true
}

// sizeKey is an extra key of every array, object and text.
const sizeKey = "size"

// step returns the value under that key of an object, array or text.
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

// indexOf returns the index for a key in an array of that length. A negative key counts from the
// end.
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

// eventField returns a field of the event itself.
func (p *placeholders) eventField(field string) string {
	switch field {
	case "id":
		return p.event.ID
	case "type":
		return p.event.Type
	case "timestamp":
		return timeText(p.event.OccurredAt)
	}
	return p.event.Key
}

// isEventField reports whether the path names a field of the event itself. A first name in brackets
// belongs to the data.
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

// isCustomField reports whether the path names a custom field by its number, such as czCol.15.
func isCustomField(path liquid.Path) bool {
	return len(path.Keys) == 2 && path.Keys[1] != "" && strings.Trim(path.Keys[1], "0123456789") == ""
}

// mayRead reports whether templates of the use case may read that member of the data.
func mayRead(useCase *switchboard.UseCase, member string) bool {
	return useCase == nil || len(useCase.Reads) == 0 || slices.Contains(useCase.Reads, member)
}

// mayBeElsewhere reports whether a path that is not in the data may still have a value: as
// a custom field, or as a script's variable.
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
