package temporalserver

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"go.temporal.io/server/common/log/tag"
)

func TestFatalBecomesAnError(t *testing.T) {
	t.Parallel()
	log := serverLog{to: slog.New(slog.DiscardHandler), silent: new(atomic.Bool)}
	failing := func() (err error) {
		defer recoverFatal(&err)
		log.Fatal("cannot bind", tag.Address("127.0.0.1:1"))
		return nil
	}
	checkNames(t, failing(), "cannot bind", "127.0.0.1:1")
}

func TestLogHoldsWarningsUntilItIsSilent(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	log := serverLog{to: slog.New(slog.NewTextHandler(&written, nil)), silent: new(atomic.Bool)}
	tagged := log.With(tag.Address("here"))
	tagged.Info("too much")
	tagged.Warn("careful")
	log.silent.Store(true)
	tagged.Error("after the end")
	got := written.String()
	if !strings.Contains(got, "msg=careful address=here") {
		t.Errorf("no warning with its tag in %q", got)
	}
	if strings.Contains(got, "too much") || strings.Contains(got, "after the end") {
		t.Errorf("too much in %q", got)
	}
}
