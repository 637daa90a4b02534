package switchboard_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// TestSubscriptionReference: the table of docs/subscriptions.md is the one from the declaration.
// UPDATE_DOCS=1 writes it.
func TestSubscriptionReference(t *testing.T) {
	t.Parallel()
	const document, head = "docs/subscriptions.md", "| field | values | default | meaning |\n|---|---|---|---|\n"
	text := readDocument(t, document)
	prose, table, found := strings.Cut(text, head)
	if !found {
		t.Fatalf("%s has no table", document)
	}
	want := referenceRows("", reflect.TypeFor[switchboard.Subscription]())
	if len(want) < 40 {
		t.Fatalf("%d fields: the test does not read the declaration", len(want))
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(document, []byte(prose+head+strings.Join(want, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, strings.SplitAfter(strings.TrimSuffix(table, "\n"), "\n"), cmp.Transformer("trim", strings.TrimSpace)); diff != "" {
		t.Errorf("%s (declaration -, document +; UPDATE_DOCS=1 writes it):\n%s", document, diff)
	}
}

// referenceRows returns the rows of the fields of a type that callers may give.
func referenceRows(path string, of reflect.Type) []string {
	var rows []string
	for i := range of.NumField() {
		f := of.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous {
			rows = append(rows, referenceRows(path, f.Type)...)
			continue
		}
		if name == "" || name == "-" || f.Tag.Get("readOnly") == "true" {
			continue
		}
		value := f.Type
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		fallback := f.Tag.Get("default") + f.Tag.Get("default_duration")
		if fallback != "" {
			fallback = "`" + fallback + "`"
		} else if !strings.Contains(f.Tag.Get("json"), ",omit") && f.Tag.Get("required") != "false" {
			fallback = "required"
		}
		meaning := strings.ReplaceAll(f.Tag.Get("doc"), "|", "\\|")
		if value == reflect.TypeFor[switchboard.Scheme]() {
			meaning = signing.Words()
		}
		rows = append(rows, "| `"+path+name+"` | "+valuesOf(f.Tag, value)+" | "+fallback+" | "+meaning+" |\n")
		if value.Kind() == reflect.Struct {
			rows = append(rows, referenceRows(path+name+".", value)...)
		}
	}
	return rows
}

// valuesOf says which values a field may have.
func valuesOf(tag reflect.StructTag, value reflect.Type) string {
	words := map[reflect.Kind]string{
		reflect.Bool: "true or false", reflect.Int: "number", reflect.Float64: "number", reflect.String: "text",
		reflect.Struct: "object", reflect.Map: "object", reflect.Slice: "list",
	}[value.Kind()]
	switch {
	case value == reflect.TypeFor[switchboard.Duration]():
		words = "duration"
	case value == reflect.TypeFor[json.RawMessage]():
		words = "JSON"
	}
	enum := tag.Get("enum")
	if value == reflect.TypeFor[switchboard.Scheme]() {
		for _, scheme := range signing.Schemes() {
			enum += "," + string(scheme)
		}
		enum = strings.TrimPrefix(enum, ",")
	}
	if enum != "" {
		return "`" + strings.ReplaceAll(enum, ",", "` `") + "`"
	}
	for _, bound := range []struct{ tag, words string }{
		{"minimum", "from %"}, {"maximum", "to %"}, {"shortest", "from %"}, {"longest", "to %"}, {"minLength", "at least % characters"}, {"maxLength", "at most % characters"},
		{"minItems", "at least %"}, {"maxItems", "at most % entries"},
	} {
		if limit := tag.Get(bound.tag); limit != "" {
			words += ", " + strings.Replace(bound.words, "%", limit, 1)
		}
	}
	return strings.Replace(words, ", to ", " to ", 1)
}
