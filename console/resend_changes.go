package console

import (
	"slices"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// changesPage compares the request of a resend with that of its original.
type changesPage struct {
	ID       string
	Back     string
	Original resendLink
	Changed  []string // the parts that the resend was requested to change

	Differences []difference
	Bodies      string // the note if the bodies are not compared
	Nothing     string // why nothing is compared; empty: it is
}

// resendChanges compares the last request of a resend with the last one of its original.
func (c *Console) resendChanges(v *visit) (answer, error) {
	if err := v.checkQuery(); err != nil {
		return answer{}, err
	}
	ctx := v.request.Context()
	made, err := v.api.GetDelivery(ctx, v.path("id"))
	if err != nil {
		return answer{}, err
	}
	if made.ResendOf == "" {
		return answer{}, switchboard.Errorf(switchboard.CodeNotFound, "delivery %s is not a resend", made.ID)
	}
	shown := changesPage{ID: made.ID, Back: linkDelivery(made.ID), Original: resendLink{ID: made.ResendOf, Address: linkDelivery(made.ResendOf)}, Changed: made.Changed}
	original, err := v.api.GetDelivery(ctx, made.ResendOf)
	switch {
	case switchboard.CodeOf(err) == switchboard.CodeNotFound:
		shown.Nothing = "The original is no longer kept."
	case err != nil:
		return answer{}, err
	case len(made.Attempts) == 0 || len(original.Attempts) == 0:
		shown.Nothing = "They can be compared once each has made an attempt."
	default:
		before, after := original.Attempts[len(original.Attempts)-1], made.Attempts[len(made.Attempts)-1]
		sent, err := v.api.GetAttemptRequest(ctx, original.ID, before.Number)
		if err != nil {
			return answer{}, err
		}
		resent, err := v.api.GetAttemptRequest(ctx, made.ID, after.Number)
		if err != nil {
			return answer{}, err
		}
		shown.compare(&before, &after, &sent, &resent)
	}
	return page("resend_changes", "Changes of "+short(made.ID), shown), nil
}

// compare lists the differences between the two requests.
func (p *changesPage) compare(before, after *client.Attempt, sent, resent *client.AttemptRequest) {
	changed := func(path, old, now string) {
		if old != now {
			p.Differences = append(p.Differences, difference{path, old, now, "changed"})
		}
	}
	changed("method", sent.Request.Method, resent.Request.Method)
	changed("url", sent.Request.URL, resent.Request.URL)
	p.Differences = slices.Concat(p.Differences, diffHeaders(sent.Request.Headers, resent.Request.Headers))
	changed("timeout", milliseconds(before.TimeoutMS), milliseconds(after.TimeoutMS))
	switch {
	case sent.Request.SHA256 != "" && sent.Request.SHA256 == resent.Request.SHA256:
		p.Bodies = "The bodies that were sent are the same, by their SHA-256."
	case sent.Redacted != nil || resent.Redacted != nil:
		p.Bodies = "The bodies that were sent differ: " + bytesInWords(sent.Request.Bytes) + ", and " + bytesInWords(resent.Request.Bytes) + ". Their content needs the permission read_payload."
	case sent.BodyEncoding != "" || resent.BodyEncoding != "":
		p.Bodies = "The bodies that were sent differ, and are not text."
	default:
		p.Differences = slices.Concat(p.Differences, diffBodies(sent.Body, resent.Body))
		if sent.Same != "true" || resent.Same != "true" {
			p.Bodies = "At least one of the bodies is not known byte for byte: the comparison shows what would be sent now."
		}
	}
}
