package api

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

// IdempotencyStore stores the answers to requests that come with an Idempotency-Key.
type IdempotencyStore interface {
	// Claim lets the holder of the API key carry out a request, or returns the answer
	// that it was given. It is KeyReused where the key came with another request, and a
	// Conflict where the same one is under way.
	Claim(ctx context.Context, apiKeyID, key string, request [sha256.Size]byte) (switchboard.IdempotencyClaim, error)
	SaveAnswer(ctx context.Context, claim switchboard.IdempotencyClaim, answer switchboard.StoredAnswer) error
	// Release gives up a claim without an answer. If nothing was done, the key may come
	// with another request.
	Release(ctx context.Context, claim switchboard.IdempotencyClaim, nothingDone bool) error
}

const (
	replayedHeader = "Idempotency-Replayed"
	// maxIdempotencyKey is the longest key, as with Stripe.
	maxIdempotencyKey = 255
	// maxStoredAnswer is the longest answer that is stored. After a longer one, as to a batch
	// for very many subscriptions, a repeat is carried out again; its events get the same ids.
	maxStoredAnswer = 1 << 20
	// claimTimeout bounds how long an answer waits until it is stored.
	claimTimeout = 3 * time.Second
)

// once carries a POST out, or with an Idempotency-Key that came with the same request
// before, answers as it was answered then. The answer is stored before it is sent, so
// that a client that has read it never sees the request carried out again.
func (s *server) once(ctx huma.Context, next func(huma.Context)) error {
	c, x := humagin.Unwrap(ctx), exchangeOf(ctx.Context())
	keys := c.Request.Header.Values(switchboard.IdempotencyHeader)
	if c.Request.Method != http.MethodPost || len(keys) == 0 {
		next(ctx)
		return nil
	}
	if err := checkIdempotencyKey(keys); err != nil {
		return err
	}
	claim, err := s.Store.Claim(ctx.Context(), x.caller.KeyID, keys[0], requestSum(c.Request, x.body))
	switch {
	case switchboard.CodeOf(err) == switchboard.CodeConflict:
		return &later{err, time.Second}
	case err != nil:
		return err
	case claim.Answer != nil:
		c.Header(replayedHeader, "true")
		c.Data(claim.Answer.Status, "application/json", claim.Answer.Body)
		return nil
	}
	x.claim = &claim
	held := &heldWriter{ResponseWriter: c.Writer}
	c.Writer = held
	closed := false
	defer func() {
		c.Writer = held.ResponseWriter
		if !closed { // a panic: what was done is not known
			s.updateClaim(ctx.Context(), "release", func(ctx context.Context) error { return s.Store.Release(ctx, claim, false) })
		}
	}()
	next(ctx)
	closed = true
	s.closeClaim(ctx.Context(), &claim, held, x.accepted)
	_, _ = held.ResponseWriter.Write(held.body.Bytes()) // fails only if the client has gone
	return nil
}

// closeClaim notes how the claimed request ended. Of one that was refused nothing was done;
// accepted says that something was all the same. Of one that failed that is not known,
// and the next try goes on from there.
func (s *server) closeClaim(ctx context.Context, claim *switchboard.IdempotencyClaim, held *heldWriter, accepted bool) {
	status := held.Status()
	if status < http.StatusMultipleChoices && held.body.Len() <= maxStoredAnswer {
		answer := switchboard.StoredAnswer{Status: status, Body: held.body.Bytes()}
		s.updateClaim(ctx, "keep", func(ctx context.Context) error { return s.Store.SaveAnswer(ctx, *claim, answer) })
		return
	}
	nothingDone := status >= http.StatusBadRequest && status < clientGone && !accepted
	s.updateClaim(ctx, "release", func(ctx context.Context) error { return s.Store.Release(ctx, *claim, nothingDone) })
}

// updateClaim calls the store, also if the caller has gone by now. That it fails is no
// error to them: until the claim ends their next try is a conflict, and then it is carried out.
func (s *server) updateClaim(ctx context.Context, what string, call func(context.Context) error) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	if err := call(bounded); err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "the answer to a request with an Idempotency-Key is not kept",
			slog.String("step", what), slog.String("request_id", exchangeOf(ctx).id), slog.String("error", err.Error()))
	}
}

func checkIdempotencyKey(keys []string) error {
	switch key := keys[0]; {
	case len(keys) > 1:
		return switchboard.InvalidField(switchboard.IdempotencyHeader, "is given twice")
	case key == "":
		return switchboard.InvalidField(switchboard.IdempotencyHeader, "is empty: give it a value, or leave it out")
	case len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }):
		return switchboard.InvalidField(switchboard.IdempotencyHeader, "must be at most %d printable characters of ASCII", maxIdempotencyKey)
	}
	return nil
}

// requestSum sums up what is asked. A body counts by its value: who tries again may
// serialise again.
func requestSum(r *http.Request, body []byte) [sha256.Size]byte {
	if canonical, ok := switchboard.CanonicalJSON(body); ok {
		body = canonical
	}
	asked := strings.Join([]string{r.Method, r.URL.Path, r.URL.RawQuery, ""}, "\x00")
	return sha256.Sum256(append([]byte(asked), body...))
}

// eventID is the id of the request's event of that number where the platform gave none;
// empty: any will do.
func (x *exchange) eventID(number int) string {
	if x.claim == nil {
		return ""
	}
	return x.claim.EventID(number)
}

// heldWriter holds an answer's body back.
type heldWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (w *heldWriter) Write(p []byte) (int, error)       { return w.body.Write(p) }
func (w *heldWriter) WriteString(s string) (int, error) { return w.body.WriteString(s) }
func (w *heldWriter) WriteHeaderNow()                   {}
func (w *heldWriter) Written() bool                     { return w.body.Len() > 0 }
func (w *heldWriter) Flush()                            {}
