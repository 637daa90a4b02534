package console

import "strconv"

// linkAttemptRequest is what an attempt sent, as a page, and as a part of the delivery's.
func linkAttemptRequest(id string, number int) string {
	return address(nil, "deliveries", id, "attempts", strconv.Itoa(number), "request")
}

// linkAttemptResponse is what was answered to it.
func linkAttemptResponse(id string, number int) string {
	return address(nil, "deliveries", id, "attempts", strconv.Itoa(number), "response")
}

// linkAllAttempts is the page of a delivery with all of its attempts.
func linkAllAttempts(id string) string {
	return address(parameters(attemptsParameter, allAttempts), "deliveries", id)
}

// linkResendChanges compares a resend with its original.
func linkResendChanges(id string) string { return address(nil, "deliveries", id, "changes") }

// linkDownload is the same body as a file.
func linkDownload(page string) string { return page + "?" + downloadParameter + "=true" }

// linkPart is a block of a page alone.
func linkPart(page, block string) string { return page + "?" + partParameter + "=" + block }

// absolute is the address of a page from outside.
func (v *visit) absolute(page string) string {
	if v.console.PublicURL != "" {
		return v.console.PublicURL + page
	}
	scheme := "http"
	if v.request.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + v.request.Host + page
}
