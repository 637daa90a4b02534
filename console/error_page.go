package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

const errorTemplate = "error"

// retrySeconds is after how long the page about an outage reloads itself.
const retrySeconds = 5

// problem is a failure: of a whole page, or of a part of one.
type problem struct {
	Status    int
	Title     string
	Text      string // in words
	Code      string
	Field     string
	RequestID string
	Search    string // if an id was not found: what to search for
	Again     bool   // repeating may help
}

// problemOf describes a failure. Our own faults go to the log.
func problemOf(v *visit, err error) problem {
	p := problem{RequestID: requestID(v.request)}
	if answered, ok := errors.AsType[*client.Error](err); ok {
		p.Status, p.Code, p.Text, p.Field = answered.Status, string(answered.Code), answered.Detail, answered.Field
		if answered.RequestID != "" {
			p.RequestID = answered.RequestID
		}
	} else if own, ok := errors.AsType[*switchboard.Error](err); ok && own.Code != switchboard.CodeInternal {
		p.Status, p.Code, p.Text, p.Field = own.Code.Status(), string(own.Code), own.Message, own.Field
		if own.Field != "" {
			p.Text = own.Field + ": " + own.Message // in the API's words
		}
	} else if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		p.Status, p.Code, p.Text = http.StatusServiceUnavailable, string(switchboard.CodeTimeout), "there was no answer in time"
	} else {
		p.Status, p.Code, p.Text = http.StatusInternalServerError, string(switchboard.CodeInternal), "an internal error; the log has it under the request id"
	}
	if p.Status >= http.StatusInternalServerError {
		logOf(v.request).cause = withoutAddress(err)
	}
	p.Title, p.Again = titleOf(p.Status), p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests
	return p
}

// withoutAddress returns the error without the address of the call, because its query contains what
// somebody typed.
func withoutAddress(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

func titleOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusConflict:
		return "It has changed meanwhile"
	case http.StatusUnprocessableEntity:
		return "This cannot be shown"
	case http.StatusTooManyRequests:
		return "Too many requests"
	case http.StatusServiceUnavailable:
		return "Not available at the moment"
	}
	return "Something went wrong"
}

// errorPage shows a failure. For a part of a page, it answers with the text only: the page keeps
// what it shows, and says how old that is.
func errorPage(v *visit, err error) answer {
	p := problemOf(v, err)
	if v.isPoll() {
		return answer{text: p.Text, code: p.Status}
	}
	if p.Status == http.StatusServiceUnavailable && v.request.Method == http.MethodGet {
		v.writer.Header().Set("Refresh", strconv.Itoa(retrySeconds))
	}
	if p.Status == http.StatusNotFound {
		p.Search = v.path("id")
	}
	return page(errorTemplate, p.Title, p).status(p.Status)
}
