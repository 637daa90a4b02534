package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
)

//go:embed docs.html
var docsTemplate string

// docsPolicy lets the page show itself and nothing else: it needs no script, and
// no network beside ours.
const docsPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveDocs serves the OpenAPI document, and a page that shows it to people. Both
// are made once: the routes do not change.
func (s *server) serveDocs(engine *gin.Engine, doc *huma.OpenAPI, operations []*huma.Operation) error {
	spec, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	page, err := docsPage(doc, operations)
	if err != nil {
		return err
	}
	engine.GET("/openapi.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", spec) })
	engine.GET("/docs", func(c *gin.Context) {
		c.Header("Content-Security-Policy", docsPolicy)
		c.Data(http.StatusOK, "text/html; charset=utf-8", page)
	})
	return nil
}

// What the page shows.
type (
	docs struct {
		Title, Version string
		Overview       []string
		Groups         []docsGroup
		Problem        []docsField
	}
	docsGroup struct {
		Name  string
		Calls []docsCall
	}
	docsCall struct {
		ID, Method, Path, Summary string
		Description               []string
		Parameters, Body          []docsField
		Answers                   []docsAnswer // by status
		Problems                  []string     // statuses of errors
		Example                   string
	}
	docsAnswer struct {
		Status, Example string
		Fields          []docsField
	}
	docsField struct {
		Name, Type, Text string
		Required         bool
	}
)

// docsPage shows the operations in the order of the routes table.
func docsPage(doc *huma.OpenAPI, operations []*huma.Operation) ([]byte, error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, err
	}
	d := describer{doc.Components.Schemas}
	page := docs{
		Title: doc.Info.Title, Version: doc.Info.Version, Overview: paragraphs(doc.Info.Description),
		Problem: d.fields(&huma.Schema{Ref: "#/components/schemas/Problem"}, "", nil),
	}
	for _, op := range operations {
		i := slices.IndexFunc(page.Groups, func(g docsGroup) bool { return g.Name == op.Tags[0] })
		if i < 0 {
			i, page.Groups = len(page.Groups), append(page.Groups, docsGroup{Name: op.Tags[0]})
		}
		page.Groups[i].Calls = append(page.Groups[i].Calls, d.call(op))
	}
	var out bytes.Buffer
	err = t.Execute(&out, page)
	return out.Bytes(), err
}

// paragraphs splits a description, and drops the marks of its Markdown.
func paragraphs(text string) []string {
	return strings.Split(strings.NewReplacer("**", "", "`", "").Replace(text), "\n\n")
}

// describer puts schemas into words.
type describer struct{ schemas huma.Registry }

func (d describer) call(op *huma.Operation) docsCall {
	c := docsCall{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: paragraphs(op.Description)}
	path := op.Path
	for _, p := range op.Parameters {
		c.Parameters = append(c.Parameters, docsField{p.Name, p.In + ", " + d.typeOf(p.Schema), d.text(p.Schema), p.Required})
		if p.In == "path" && len(p.Schema.Examples) > 0 {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", fmt.Sprint(p.Schema.Examples[0]))
		}
	}
	c.Example = "curl -X " + op.Method + ` "$SWITCHBOARD` + path + `" -H "Authorization: Bearer $KEY"`
	if op.RequestBody != nil {
		schema := op.RequestBody.Content["application/json"].Schema
		c.Body = d.fields(schema, "", nil)
		c.Example += " \\\n  -H 'Content-Type: application/json' -d '" + pretty(d.example(schema, nil)) + "'"
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if status == "default" || op.Responses[status].Ref != "" {
			if status != "default" {
				c.Problems = append(c.Problems, status)
			}
			continue
		}
		answer := docsAnswer{Status: status}
		if media := op.Responses[status].Content["application/json"]; media != nil {
			answer.Fields = d.fields(media.Schema, "", nil)
			answer.Example = pretty(d.example(media.Schema, nil))
		}
		c.Answers = append(c.Answers, answer)
	}
	return c
}

func pretty(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(out.String())
}

// resolve follows a reference. It returns nil for one that is being described
// already, so that a type which holds itself ends.
func (d describer) resolve(s *huma.Schema, above []string) (*huma.Schema, []string) {
	if s.Ref == "" {
		return s, above
	}
	if slices.Contains(above, s.Ref) {
		return nil, above
	}
	return d.schemas.SchemaFromRef(s.Ref), append(slices.Clone(above), s.Ref)
}

// fields lists an object's fields by their paths, as the API's errors name them.
func (d describer) fields(s *huma.Schema, prefix string, above []string) []docsField {
	s, above = d.resolve(s, above)
	if s == nil {
		return nil
	}
	if s.Type == huma.TypeArray {
		return d.fields(s.Items, strings.TrimSuffix(prefix, ".")+"[].", above)
	}
	var out []docsField
	for _, name := range d.names(s) {
		field := s.Properties[name]
		out = append(out, docsField{prefix + name, d.typeOf(field), d.text(field), slices.Contains(s.Required, name)})
		out = append(out, d.fields(field, prefix+name+".", above)...)
	}
	return out
}

// names puts what is required first: that is what a reader looks for.
func (d describer) names(s *huma.Schema) []string {
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := slices.Index(s.Required, a), slices.Index(s.Required, b); x != y {
			if x < 0 || y < 0 {
				return y - x
			}
			return x - y
		}
		return strings.Compare(a, b)
	})
	return names
}

func (d describer) typeOf(s *huma.Schema) string {
	if r, _ := d.resolve(s, nil); r != s {
		return d.typeOf(r)
	}
	words := s.Type
	switch {
	case s.Type == "":
		words = "any"
	case s.Type == huma.TypeArray:
		words = "list of " + d.typeOf(s.Items)
	case s.Format == timeFormat || s.Extensions["format"] == timeFormat:
		words = "time"
	}
	if s.Nullable {
		words += " or null"
	}
	return words
}

// text is the description with what else the schema says, in sentences.
func (d describer) text(s *huma.Schema) string {
	var sentences []string
	if s.Description != "" {
		sentences = append(sentences, s.Description)
	}
	if len(s.Enum) > 0 {
		sentences = append(sentences, "One of "+strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Enum), " ", ", "), "[]"))
	}
	if s.Default != nil {
		sentences = append(sentences, "Default: "+strings.Trim(pretty(s.Default), `"`))
	}
	return strings.Join(sentences, ". ")
}

// example makes up a value that has the schema.
func (d describer) example(s *huma.Schema, above []string) any {
	s, above = d.resolve(s, above)
	switch {
	case s == nil:
		return nil
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Nullable && s.Type != huma.TypeObject:
		return nil
	}
	switch s.Type {
	case huma.TypeObject:
		out := map[string]any{}
		for name, field := range s.Properties {
			if slices.Contains(s.Required, name) || d.hasExample(field, above) {
				out[name] = d.example(field, above)
			}
		}
		return out
	case huma.TypeArray:
		return []any{d.example(s.Items, above)}
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	case huma.TypeBoolean:
		return false
	case huma.TypeString:
		if s.Format == "date-time" {
			return "2026-01-31T12:00:00Z"
		}
		return ""
	}
	return nil
}

// hasExample reports whether an example says anything of the schema: what is
// optional and made up would only have to fit the rest by chance.
func (d describer) hasExample(s *huma.Schema, above []string) bool {
	s, above = d.resolve(s, above)
	switch {
	case s == nil:
		return false
	case len(s.Examples) > 0 || s.Default != nil:
		return true
	case s.Type == huma.TypeArray:
		return d.hasExample(s.Items, above)
	}
	for _, field := range s.Properties {
		if d.hasExample(field, above) {
			return true
		}
	}
	return false
}
