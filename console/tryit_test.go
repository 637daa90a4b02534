package console

import (
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func TestTryItPage(t *testing.T) {
	t.Parallel()
	held, retrying, failed := &client.Delivery{ID: "dlv_h", SubscriptionID: "sub_h"}, &client.Delivery{ID: "dlv_r", SubscriptionID: "sub_r"}, &client.Delivery{ID: "dlv_f", SubscriptionID: "sub_f"}
	did := func(kind switchboard.AuditKind, verb switchboard.AuditVerb) switchboard.AuditEntry {
		return switchboard.AuditEntry{Kind: kind, Verb: verb}
	}
	for name, c := range map[string]struct {
		data  tryItData
		links string // parts of the steps' addresses; – means none
		done  string
		empty bool
	}{
		"nothing fails":     {tryItData{}, "/console – – – –", "", true},
		"one is held":       {tryItData{held: held}, "/console dlv_h – – sub_h/pause", "", false},
		"one fails":         {tryItData{failed: failed}, "/console dlv_f dlv_f/retry sub_f sub_f/pause", "", false},
		"all":               {tryItData{held: held, retrying: retrying, failed: failed}, "/console dlv_r dlv_f/retry sub_f sub_h/pause", "", false},
		"one was retried":   {tryItData{failed: failed, actions: []switchboard.AuditEntry{did("delivery", "retry")}}, "/console dlv_f dlv_f/retry sub_f sub_f/pause", "123", false},
		"others were acted": {tryItData{failed: failed, actions: []switchboard.AuditEntry{did("key", "create"), did("operation", "cancel")}}, "/console dlv_f dlv_f/retry sub_f sub_f/pause", "", false},
		"all was done": {tryItData{held: held, actions: []switchboard.AuditEntry{did("delivery", "retry"), did("operation", "start"), did("subscription", "pause")}},
			"/console dlv_h – – sub_h/pause", "12345", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := newTryItPage(&c.data)
			done := ""
			for i, want := range strings.Fields(c.links) {
				if got := page.Steps[i].Address; want == "–" && got != "" || want != "–" && !strings.Contains(got, want) {
					t.Errorf("step %d leads to %q, want %s", i+1, got, want)
				}
				if page.Steps[i].Done {
					done += string(rune('1' + i))
				}
			}
			if done != c.done || page.Done != len(c.done) || (page.Empty != nil) != c.empty {
				t.Errorf("done are %q, %d, want %q; empty: %+v", done, page.Done, c.done, page.Empty)
			}
		})
	}
}
