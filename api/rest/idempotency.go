package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/seed-49a43567/switchboard"
)

const (
	replayedHeader = "Idempotency-Replayed"
	// maxIdempotencyKey is the maximum length of a key, as with Stripe.
	maxIdempotencyKey = 255
	// maxStoredAnswer is the maximum length of a stored answer. After a longer one, for example to
	// a batch for very many subscriptions, a repeat is executed again; its events get the same ids.
	maxStoredAnswer = 1 << 20
	// claimTimeout limits how long an answer waits until it is stored.
	claimTimeout = 3 * time.Second
)

// once executes a POST. If the same request came before with the same Idempotency-Key, it repeats
// that answer instead. It stores an answer before sending it, so that a client that has read the
// answer never causes a second execution.
func (s *Server) once(ctx huma.Context, call *call, next func(huma.Context)) error {
	c := humagin.Unwrap(ctx)
	keys := c.Request.Header.Values(switchboard.IdempotencyHeader)
	if c.Request.Method != http.MethodPost || len(keys) == 0 {
		next(ctx)
		return nil
	}
	if err := checkIdempotencyKey(keys); err != nil {
		return err
	}
	claim, err := s.Store.Claim(ctx.Context(), call.caller.KeyID, keys[0], requestSum(c.Request, call.body))
	switch {
	case switchboard.CodeOf(err) == switchboard.CodeConflict:
		return &retryLaterError{err, time.Second}
	case err != nil:
		return err
	case claim.Answer != nil:
		c.Header(replayedHeader, "true")
		c.Data(claim.Answer.Status, "application/json", claim.Answer.Body)
		return nil
	}
	call.claim = &claim
	buffered := &bufferedWriter{ResponseWriter: c.Writer}
	c.Writer = buffered
	returned := false
	defer func() {
		c.Writer = buffered.ResponseWriter
		if !returned { // a panic: nobody knows what was done
			s.updateClaim(ctx.Context(), "release", func(ctx context.Context) error { return s.Store.Release(ctx, claim, false) })
		}
	}()
	next(ctx)
	returned = true
	s.closeClaim(ctx.Context(), &claim, buffered)
	_, _ = buffered.ResponseWriter.Write(buffered.body.Bytes()) // fails only if the client has gone
	return nil
}

// closeClaim stores how the claimed request ended. A refused request did nothing, unless its error
// says that something was stored. If a request failed, nobody knows what it did: the next try
// continues from there.
func (s *Server) closeClaim(ctx context.Context, claim *switchboard.IdempotencyClaim, buffered *bufferedWriter) {
	status := buffered.Status()
	if status < http.StatusMultipleChoices && buffered.body.Len() <= maxStoredAnswer {
		answer := switchboard.StoredAnswer{Status: status, Body: buffered.body.Bytes()}
		s.updateClaim(ctx, "save", func(ctx context.Context) error { return s.Store.SaveAnswer(ctx, *claim, answer) })
		return
	}
	nothingDone := status >= http.StatusBadRequest && status < StatusClientGone && !logOf(ctx).stored
	s.updateClaim(ctx, "release", func(ctx context.Context) error { return s.Store.Release(ctx, *claim, nothingDone) })
}

// updateClaim calls the store, even if the caller has gone. The caller gets no error if that fails:
// until the claim ends, a repeat is a conflict, and after that it is executed.
func (s *Server) updateClaim(ctx context.Context, step string, call func(context.Context) error) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	if err := call(bounded); err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "the answer to a request with an Idempotency-Key is not stored",
			slog.String("step", step), slog.String("request_id", RequestID(ctx)), slog.String("error", err.Error()))
	}
}

func checkIdempotencyKey(keys []string) error {
	switch key := keys[0]; {
	case len(keys) > 1:
		return switchboard.InvalidField(switchboard.IdempotencyHeader, "is given twice")
	case key == "":
		return switchboard.InvalidField(switchboard.IdempotencyHeader, "is empty: give it a value, or leave it out")
	case len(key) > maxIdempotencyKey || !switchboard.IsPrintableASCII(key):
		return switchboard.InvalidField(switchboard.IdempotencyHeader, "must be at most %d printable characters of ASCII", maxIdempotencyKey)
	}
	return nil
}

// requestSum is the hash of a request. It uses the body's value instead of its text, because a
// client may serialise the body again for a repeat.
func requestSum(r *http.Request, body []byte) [sha256.Size]byte {
	if canonical, ok := switchboard.CanonicalJSON(body); ok {
		body = canonical
	}
	asked := strings.Join([]string{r.Method, r.URL.Path, r.URL.RawQuery, ""}, "\x00")
	return sha256.Sum256(append([]byte(asked), body...))
}

// bufferedWriter buffers the body of an answer.
type bufferedWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (w *bufferedWriter) Write(p []byte) (int, error)       { return w.body.Write(p) }
func (w *bufferedWriter) WriteString(s string) (int, error) { return w.body.WriteString(s) }
func (w *bufferedWriter) WriteHeaderNow()                   {}
func (w *bufferedWriter) Written() bool                     { return w.body.Len() > 0 }
func (w *bufferedWriter) Flush()                            {}
