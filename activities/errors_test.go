package activities

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestInfraMessage: Temporal gets the kind of the fault, and nothing from our log.
func TestInfraMessage(t *testing.T) {
	t.Parallel()
	const inLog = "subscriptions/sub_1/headers"
	unreadable := switchboard.Subscription{Unreadable: []string{"auth"}}
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: %s", unreadable.CheckReadable(), inLog), switchboard.WaitingForSwitchboard("its subscription cannot be read")},
		{&switchboard.Error{Code: switchboard.CodeUnavailable, Message: "away", Err: errors.New(inLog)}, "unavailable"},
		{errors.New(inLog), "internal"},
		{errNotRecorded, "waits to be recorded"},
	} {
		if got := infraMessage(test.err); !strings.Contains(got, test.want) || strings.Contains(got, inLog) {
			t.Errorf("%v: %q, want %q in it", test.err, got, test.want)
		}
	}
}
