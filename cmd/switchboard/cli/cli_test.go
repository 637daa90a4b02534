package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is printed into testdata")

// fakeAPI gives the answers that a test sets, and records the requests.
type fakeAPI struct {
	answers map[string]string // by method and path; may begin with a status, as "409 {…}"
	asked   []string          // method, path, query, body
	headers []http.Header
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	f.headers = append(f.headers, r.Header)
	answer, ok := f.answers[r.Method+" "+r.URL.Path]
	if !ok {
		answer = `404 {"status":404,"code":"not_found","detail":"there is no such thing","request_id":"r-1"}`
	}
	status := http.StatusOK
	if !strings.HasPrefix(answer, "{") && !strings.HasPrefix(answer, "[") {
		_, _ = fmt.Sscan(answer, &status)
		_, answer, _ = strings.Cut(answer, " ")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

// now is the time of every test.
var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// result is the result of a command.
type result struct {
	out, err string
	failure  error
}

// try runs a command line against an API, on a terminal of 80 columns without colour, unless change
// changes that.
func try(t *testing.T, api http.Handler, change func(*Terminal), line ...string) result {
	t.Helper()
	server := httptest.NewServer(api)
	defer server.Close()
	var out, errs bytes.Buffer
	environment := map[string]string{urlVariable: server.URL, keyVariable: "sbk_hunter2", "XDG_CONFIG_HOME": t.TempDir()}
	terminal := &Terminal{In: strings.NewReader(""), Out: &out, Err: &errs, Width: 80, Now: func() time.Time { return now }, Getenv: func(name string) string { return environment[name] }}
	if change != nil {
		change(terminal)
	}
	failure := runLine(t.Context(), terminal, line...)
	for _, text := range []string{out.String(), errs.String(), fmt.Sprint(failure)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("%q shows the key: %s", line, text)
		}
	}
	return result{out.String(), errs.String(), failure}
}

// runLine parses and runs a command line.
func runLine(ctx context.Context, terminal *Terminal, line ...string) error {
	var commands Commands
	parser, err := kong.New(&commands, kong.Name("switchboard"), kong.BindTo(ctx, (*context.Context)(nil)), kong.Help(Help), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(line)
	if err != nil {
		return err
	}
	return parsed.Run(commands.Session(terminal))
}

func answersOf(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var found map[string]json.RawMessage
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{}
	for call, body := range found {
		answers[call] = string(body)
	}
	return answers
}

// TestOutput runs every command on 80 columns without colour, and in the other formats, and
// compares the output with testdata/*.txt.
func TestOutput(t *testing.T) {
	t.Parallel()
	const dlv, sub = "dlv_01k0000000000000000000000a", "sub_01k0000000000000000000000a"
	const op = "op_01k0000000000000000000000a"
	for _, c := range []struct {
		name string
		line []string
		asks string // the last request
	}{
		{"deliveries_list", []string{"deliveries", "list", "--tenant", "acme", "--state", "retrying,failed", "--last", "1h"}, "GET /v1/deliveries?after=2026-01-31T11%3A00%3A00Z&limit=50&state=retrying&state=failed&tenant=acme"},
		{"deliveries_list_wide", []string{"deliveries", "list", "-o", "wide"}, "GET /v1/deliveries?limit=50"},
		{"deliveries_list_json", []string{"deliveries", "list", "-o", "json", "--limit", "0"}, "GET /v1/deliveries?limit=250"},
		{"deliveries_list_yaml", []string{"deliveries", "list", "-o", "yaml", "--limit", "7"}, "GET /v1/deliveries?limit=7"},
		{"deliveries_list_count", []string{"deliveries", "list", "--state", "failed", "--count", "--limit", "1"}, "GET /v1/deliveries?count=true&limit=1&state=failed"},
		{"deliveries_facets", []string{"deliveries", "facets", "--state", "failed,retrying", "--by", "failure,host"}, "GET /v1/deliveries/facets?by=failure&by=host&state=failed&state=retrying"},
		{"deliveries_show", []string{"deliveries", "show", dlv}, "GET /v1/deliveries/" + dlv},
		{"deliveries_retry", []string{"deliveries", "retry", dlv, "--reason", "repaired"}, "POST /v1/deliveries/" + dlv + `/retry {"reason":"repaired"}`},
		{"deliveries_cancel", []string{"deliveries", "cancel", dlv, "-r", "mistake"}, "POST /v1/deliveries/" + dlv + `/cancel {"reason":"mistake"}`},
		{"deliveries_hold", []string{"deliveries", "hold", dlv, "-r", "wait"}, "POST /v1/deliveries/" + dlv + `/hold {"reason":"wait"}`},
		{"deliveries_release", []string{"deliveries", "release", dlv}, "POST /v1/deliveries/" + dlv + `/release {}`},
		{"events_send", []string{"events", "send", "--tenant", "acme", "--type", "ticket.created", "--id", "e1", "--data", `{"n": 12345678901234567890}`}, `POST /v1/events {"tenant":"acme","type":"ticket.created","data":{"n":12345678901234567890},"id":"e1"}`},
		{"events_list", []string{"events", "list", "--tenant", "acme"}, "GET /v1/events?limit=50&tenant=acme"},
		{"events_show", []string{"events", "show", "e1", "--tenant", "acme"}, "GET /v1/events/e1?tenant=acme"},
		{"subscriptions_list", []string{"subscriptions", "list", "--state", "active"}, "GET /v1/subscriptions?include=health&limit=50&state=active"},
		{"subscriptions_list", []string{"subscriptions", "list", "--failing", "--event-type", "ticket.created", "--text", "CRM"}, "GET /v1/subscriptions?event_type=ticket.created&failing=true&include=health&limit=50&text=CRM"},
		{"subscriptions_list", []string{"subscriptions", "list", "--no-failing"}, "GET /v1/subscriptions?failing=false&include=health&limit=50"},
		{"subscriptions_show", []string{"subscriptions", "show", sub}, "GET /v1/subscriptions/" + sub},
		{"subscriptions_create", []string{"subscriptions", "create", "--tenant", "acme", "--name", "CRM", "--events", "ticket.*,call.*", "--url", "https://crm.example.com/hook", "--set", "request.method=PUT", "--set", "max_in_flight=4"},
			`POST /v1/subscriptions {"events":["ticket.*","call.*"],"max_in_flight":4,"name":"CRM","request":{"method":"PUT","url":"https://crm.example.com/hook"},"tenant":"acme"}`},
		{"subscriptions_update", []string{"subscriptions", "update", sub, "--set", "rate_limit=null"}, "PATCH /v1/subscriptions/" + sub + ` {"rate_limit":null,"version":3}`},
		{"subscriptions_pause", []string{"subscriptions", "pause", sub, "--reason", "moves"}, "POST /v1/subscriptions/" + sub + `/pause {"reason":"moves"}`},
		{"subscriptions_resume", []string{"subscriptions", "resume", sub}, "POST /v1/subscriptions/" + sub + `/resume {}`},
		{"subscriptions_test", []string{"subscriptions", "test", sub, "--type", "ticket.created"}, "POST /v1/subscriptions/" + sub + `/test {"type":"ticket.created"}`},
		{"subscriptions_preview", []string{"subscriptions", "preview", sub, "--event", "e1"}, "POST /v1/subscriptions/" + sub + `/preview {"event_id":"e1"}`},
		{"deliveries_show_attempt", []string{"deliveries", "show", dlv, "--attempt", "1"}, "GET /v1/deliveries/" + dlv + "/attempts/1/request"},
		{"deliveries_retry_at", []string{"deliveries", "retry", dlv, "--at", "2026-01-31T18:00:00Z", "--expect-state", "failed", "--expect-attempts", "0"}, "POST /v1/deliveries/" + dlv + `/retry {"expect":{"state":"failed","attempts":0},"retry_at":"2026-01-31T18:00:00Z"}`},
		{"deliveries_resend", []string{"deliveries", "resend", dlv, "-r", "lost", "--url", "https://crm.example.com/v2", "--header", "X-Try=a;b=1", "--body", "{}", "--timeout", "20s"},
			"POST /v1/deliveries/" + dlv + `/resend {"reason":"lost","url":"https://crm.example.com/v2","headers":{"X-Try":"a;b=1"},"body":"{}","timeout":"20s"}`},
		{"events_explain", []string{"events", "explain", "e1", "--tenant", "acme"}, "GET /v1/events/e1/explain?tenant=acme"},
		{"operations_plan", []string{"operations", "plan", "retry", "--host", "crm.example.com", "--state", "failed", "--after", "2026-01-31T14:00:00Z", "--before", "2026-01-31 16:00"},
			`POST /v1/operations {"action":"retry","filter":{"state":["failed"],"host":"crm.example.com","after":"2026-01-31T14:00:00Z","before":"2026-01-31T16:00:00Z"},"dry_run":true}`},
		{"operations_start", []string{"operations", "start", "retry", "--host", "crm.example.com", "-r", "repaired", "--yes"}, `POST /v1/operations {"plan":"c2VhbGVk","reason":"repaired"}`},
		{"operations_start_plan", []string{"operations", "start", "--plan", "c2VhbGVk", "-r", "repaired", "--yes", "-o", "yaml"}, `POST /v1/operations {"plan":"c2VhbGVk","reason":"repaired"}`},
		{"operations_list", []string{"operations", "list", "--state", "running"}, "GET /v1/operations?limit=50&state=running"},
		{"operations_show", []string{"operations", "show", op}, "GET /v1/operations/" + op},
		{"operations_items", []string{"operations", "show", op, "--items", "skipped"}, "GET /v1/operations/" + op + "/items?limit=50&outcome=skipped"},
		{"operations_watch", []string{"operations", "watch", "op_01k0000000000000000000000b"}, "GET /v1/operations/op_01k0000000000000000000000b"},
		{"operations_pause", []string{"operations", "pause", op, "-r", "slow"}, "POST /v1/operations/" + op + `/pause {"reason":"slow"}`},
		{"operations_resume", []string{"operations", "resume", op}, "POST /v1/operations/" + op + `/resume {}`},
		{"operations_cancel", []string{"operations", "cancel", op, "-r", "wrong"}, "POST /v1/operations/" + op + `/cancel {"reason":"wrong"}`},
		{"failures", []string{"failures", "--tenant", "acme"}, "GET /v1/failures?limit=50&tenant=acme"},
		{"status", []string{"status"}, "GET /v1/stats/now"},
		{"actions", []string{"actions", "--object", dlv, "--last", "7d"}, "GET /v1/actions?after=2026-01-24T12%3A00%3A00Z&limit=50&object=" + dlv},
		{"actions_filters", []string{"actions", "--tenant", "acme", "--by", "key_1", "--person", "Ana", "--verb", "retry", "--kind", "delivery", "--after", "2026-01-31T10:00:00Z", "--before", "2026-01-31 11:00", "--limit", "5"},
			"GET /v1/actions?actor=key_1&after=2026-01-31T10%3A00%3A00Z&before=2026-01-31T11%3A00%3A00Z&kind=delivery&limit=5&person=Ana&tenant=acme&verb=retry"},
		{"search", []string{"search", "ticket-20817"}, "GET /v1/search?q=ticket-20817"},
		{"whoami", []string{"whoami"}, "GET /v1/me"},
		{"completion_bash", []string{"completion", "bash"}, ""},
		{"complete", []string{"complete", "--", "deliveries", "list", "--st"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			api := &fakeAPI{answers: answersOf(t)}
			got := try(t, api, nil, c.line...)
			if got.failure != nil {
				t.Fatal(got.failure)
			}
			if c.asks != "" && (len(api.asked) == 0 || api.asked[len(api.asked)-1] != c.asks) {
				t.Errorf("asked\n%q, want\n%q", api.asked, c.asks)
			}
			printed := got.out + got.err
			file := filepath.Join("testdata", c.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(printed), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), printed); diff != "" {
				t.Error(diff)
			}
			machine := slices.ContainsFunc([]string{"_wide", "_json", "_yaml", "completion_"}, func(part string) bool { return strings.Contains(c.name, part) })
			checkLines(t, printed, !machine)
		})
	}
}

// checkLines: no line is wider than 80 columns, or contains characters that a terminal would
// execute.
func checkLines(t *testing.T, printed string, narrow bool) {
	t.Helper()
	for line := range strings.SplitSeq(printed, "\n") {
		if narrow && len([]rune(line)) > 80 && !strings.Contains(line, "://") {
			t.Errorf("%d columns: %s", len([]rune(line)), line)
		}
		if strings.ContainsAny(line, "\x1b\u009b\x07\r") {
			t.Errorf("a control character: %q", line)
		}
	}
}
