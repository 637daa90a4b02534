package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seed-49a43567/switchboard"
)

// transcript remembers the last answer of the API, because programs get exactly that.
type transcript struct {
	next http.RoundTripper
	last []byte
}

// RoundTrip makes a request and remembers its answer.
func (t *transcript) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if t.last, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer)); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(t.last))
	return answer, nil
}

// maxAnswer is one byte more than the client reads of an answer, to find out whether the answer is
// too long.
const maxAnswer = 64<<20 + 1

// print prints an answer of the API in the format of the flags.
func (s *Session) print(answer []byte, table func()) error {
	switch s.flags.Output {
	case outputJSON:
		var indented bytes.Buffer
		if err := json.Indent(&indented, answer, "", "  "); err != nil {
			return fmt.Errorf("the answer is not JSON: %w", err)
		}
		s.printf("%s\n", escapeControls(strings.TrimSpace(indented.String())))
	case outputYAML:
		text, err := yamlOf(answer)
		if err != nil {
			return err
		}
		s.printf("%s", text)
	default:
		table()
	}
	return nil
}

func (s *Session) printf(format string, args ...any) { fmt.Fprintf(s.Out, format, args...) }

// note tells people something that is not part of the answer.
func (s *Session) note(format string, args ...any) { fmt.Fprintf(s.Err, format+"\n", args...) }

// escapeControls escapes characters that JSON may contain but a terminal would execute.
func escapeControls(text string) string {
	var escaped strings.Builder
	for _, r := range text {
		if r >= 0x7f && r <= 0x9f {
			fmt.Fprintf(&escaped, `\u%04x`, r)
		} else {
			escaped.WriteRune(r)
		}
	}
	return escaped.String()
}

// yamlOf writes a JSON document as YAML, with its members in order and its numbers exact.
func yamlOf(document []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	node, err := yamlNode(decoder)
	if err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err = encoder.Encode(node)
	return out.Bytes(), errors.Join(err, encoder.Close())
}

// yamlNode reads the next JSON value.
func yamlNode(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	delimiter, composite := token.(json.Delim)
	if !composite {
		node := &yaml.Node{}
		if number, ok := token.(json.Number); ok {
			node.Kind, node.Value, node.Tag = yaml.ScalarNode, number.String(), "!!float"
			if !strings.ContainsAny(number.String(), ".eE") {
				node.Tag = "!!int"
			}
			return node, nil
		}
		return node, node.Encode(token)
	}
	node := &yaml.Node{Kind: yaml.SequenceNode}
	if delimiter == '{' {
		node.Kind = yaml.MappingNode
	}
	for decoder.More() {
		child, err := yamlNode(decoder)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, child)
	}
	if len(node.Content) == 0 {
		node.Style = yaml.FlowStyle // [] and {}
	}
	_, err = decoder.Token() // its end
	return node, err
}

// gather reads that many entries of a list, page by page; 0: all. It also returns them as the API
// sent them.
func gather[T any](s *Session, limit int, next func(switchboard.PageRequest) (switchboard.Page[T], error)) (items []T, raw []byte, err error) {
	var all []json.RawMessage
	asked := switchboard.PageRequest{}
	for {
		asked.Limit = switchboard.MaxPage
		if limit > 0 {
			asked.Limit = min(switchboard.MaxPage, limit-len(items))
		}
		found, err := next(asked)
		if err != nil {
			return nil, nil, err
		}
		var answer struct {
			Data []json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(s.answers.last, &answer); err != nil {
			return nil, nil, fmt.Errorf("the answer is not the API's: %w", err)
		}
		items, all = append(items, found.Items...), append(all, answer.Data...)
		asked.Cursor = found.NextCursor
		enough := limit > 0 && len(items) >= limit
		switch {
		case asked.Cursor == "":
		case enough:
			s.note("there are more: --limit 0 lists all, --limit N the newest N")
		case found.SearchedTo.IsZero():
			continue
		default:
			s.note("searched back to %s in the time of one search; older ones may follow: narrow the list by --last or --after, or by more filters", found.SearchedTo.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		if all == nil {
			all = []json.RawMessage{}
		}
		raw, err = json.Marshal(all)
		return items, raw, err
	}
}

// printList prints entries of a list in the format of the flags.
func printList[T any](s *Session, items []T, raw []byte, columns []column[T], none string) error {
	return s.print(raw, func() {
		if len(items) == 0 {
			s.note("%s", none)
			return
		}
		printTable(s, columns, items)
	})
}
