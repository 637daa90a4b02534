package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestPages: a list reads as many pages as necessary, and says if there are more.
func TestPages(t *testing.T) {
	t.Parallel()
	const one = `{"data":[{"id":"dlv_1","state":"pending"}],"next_cursor":"c"}`
	const searched = `{"data":[],"next_cursor":"c","searched_to":"2026-01-31T11:20:00Z"}`
	for _, c := range []struct {
		answer, limit string
		calls         int
		says          string
	}{
		{one, "1", 1, "there are more"},
		{one, "3", 3, "there are more"},
		{searched, "0", 1, "searched back to 2026-01-31 11:20:00 UTC"},
		{`{"data":[],"next_cursor":null}`, "0", 1, "No delivery matches."},
	} {
		api := &fakeAPI{answers: map[string]string{"GET /v1/deliveries": c.answer}}
		got := try(t, api, nil, "deliveries", "list", "--limit", c.limit)
		if len(api.asked) != c.calls || !strings.Contains(got.err, c.says) || got.failure != nil {
			t.Errorf("%s: %q, %+v", c.answer, api.asked, got)
		}
		if got := try(t, api, nil, "deliveries", "list", "--limit", c.limit, "-o", "json"); !strings.HasPrefix(got.out, "[") {
			t.Errorf("%s: %+v", c.answer, got)
		}
	}
}

// TestYAML: the YAML has the meaning of the API's answer.
func TestYAML(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"b":1,"a":[true,null,"x"],"c":{}}`: "b: 1\na:\n  - true\n  - null\n  - x\nc: {}\n",
		`12345678901234567890`:               "12345678901234567890\n",
		`1.50`:                               "1.50\n",
		`"yes"`:                              "\"yes\"\n",
		`"\ud83d\ude00"`:                     "\"\\U0001F600\"\n",
		`"2026-01-31"`:                       "\"2026-01-31\"\n",
		`"a: b"`:                             "'a: b'\n",
		`[]`:                                 "[]\n",
	} {
		got, err := yamlOf([]byte(document))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", document, got, err)
		}
		var back any
		if err := yaml.Unmarshal(got, &back); err != nil {
			t.Errorf("%s: %v", document, err)
		}
	}
	if _, err := yamlOf([]byte(`{"a":`)); err == nil {
		t.Error("half a document is written")
	}
}

// TestSpan: lengths of time for people.
func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration][2]string{
		0: {"0 s", "0 s"}, 400 * time.Millisecond: {"0 s", "0 s"}, 12 * time.Second: {"12 s", "12 s"}, 60 * time.Second: {"1 min", "1 min"},
		127 * time.Minute: {"2 h", "2 h 7 min"}, 26 * time.Hour: {"1 d", "1 d 2 h"}, 24*time.Hour + 3*time.Second: {"1 d", "1 d"}, -time.Second: {"0 s", "0 s"},
	} {
		if got := [2]string{span(d, 1), span(d, 2)}; got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// TestSetMembers: --set changes the named member, and no other.
func TestSetMembers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ document, set, want string }{
		{`{}`, "name=CRM", `{"name":"CRM"}`},
		{`{}`, "max_in_flight=4", `{"max_in_flight":4}`},
		{`{"request":{"url":"u"}}`, "request.timeout=20s", `{"request":{"timeout":"20s","url":"u"}}`},
		{`{"a":1}`, "rate_limit=null", `{"a":1,"rate_limit":null}`},
		{`{"a":1}`, "a.b=2", `{"a":{"b":2}}`},
		{`{}`, `filter={"data":{"x":"a=b"}}`, `{"filter":{"data":{"x":"a=b"}}}`},
		{`{}`, "name=", `{"name":""}`},
	} {
		got, err := setMembers([]byte(c.document), []string{c.set})
		if err != nil || string(got) != c.want {
			t.Errorf("%s in %s: %s, %v", c.set, c.document, got, err)
		}
	}
}

// TestComplete: the possible completions.
func TestComplete(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"del":                                  "deliveries",
		"deliveries ":                          "list facets show retry cancel hold release resend",
		"deliveries can":                       "cancel",
		"deliveries list --state ":             "pending retrying held blocked delivered failed cancelled",
		"deliveries list --state=f":            "--state=failed",
		"deliveries list --state = d":          "delivered",
		"deliveries list --tenant acme --ho":   "--host",
		"deliveries list --tenant events --li": "--limit",
		"completion ":                          "bash zsh fish",
		"-o ":                                  "table wide json yaml",
		"deliveries show ":                     "",
	} {
		got := try(t, &fakeAPI{}, nil, append([]string{"complete", "--"}, strings.Split(line, " ")...)...)
		found := strings.Join(strings.Fields(got.out), " ")
		if got.failure != nil || found != want {
			t.Errorf("%q: %s, %v; want %s", line, found, got.failure, want)
		}
	}
}

// TestWatch: on a terminal the content is overwritten; the watch ends with the delivery.
func TestWatch(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{answers: map[string]string{"GET /v1/deliveries/dlv_1": `{"id":"dlv_1","state":"delivered"}`}}
	live := try(t, api, func(terminal *Terminal) { terminal.Live = true }, "deliveries", "show", "dlv_1", "--watch")
	if !strings.HasPrefix(live.out, home+below) || strings.Count(live.out, endOfLine+"\n") < 2 || live.failure != nil {
		t.Errorf("%q, %v", live.out, live.failure)
	}
	if piped := try(t, api, nil, "deliveries", "show", "dlv_1", "--watch"); strings.Contains(piped.out, "\x1b") || len(api.asked) != 2 {
		t.Errorf("%q, asked %s", piped.out, fmt.Sprint(api.asked))
	}
}
