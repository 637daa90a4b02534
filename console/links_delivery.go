package console

import "strconv"

// linkAttemptRequest leads to what an attempt sent, as a page, and as a part of the delivery's
// page.
func linkAttemptRequest(id string, number int) string {
	return address(nil, "deliveries", id, "attempts", strconv.Itoa(number), "request")
}

// linkAttemptResponse leads to the answer to an attempt.
func linkAttemptResponse(id string, number int) string {
	return address(nil, "deliveries", id, "attempts", strconv.Itoa(number), "response")
}

// linkAllAttempts leads to the page of a delivery with all of its attempts.
func linkAllAttempts(id string) string {
	return address(parameters(attemptsParameter, allAttempts), "deliveries", id)
}

// linkResendChanges leads to the comparison of a resend with its original.
func linkResendChanges(id string) string { return address(nil, "deliveries", id, "changes") }

// linkDownload leads to the same body as a file.
func linkDownload(page string) string { return page + "?" + downloadParameter + "=true" }

// linkPart leads to a single block of a page.
func linkPart(page, block string) string { return page + "?" + partParameter + "=" + block }

// absolute returns the address of a page from outside.
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
