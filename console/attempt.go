package console

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// downloadParameter requests the whole body, as a file.
const downloadParameter = "download"

// attemptPage shows what an attempt sent, or the answer. It is loaded into the page of the
// delivery, and is also a separate page.
type attemptPage struct {
	DeliveryID string
	Address    string // of the attempt on the delivery's page
	Number     int
	Request    *requestView
	Response   *responseView
	Nothing    string // why there is neither
}

// requestView is what an attempt sent.
type requestView struct {
	Method  string
	URL     string
	Headers []headerLine
	Body    bodyView
	SHA256  string // of what was sent
	Same    string // whether the body has the bytes that were sent: true, false or unknown
	Why     string
	To      string // the address that was dialled
}

func requestOf(r *client.AttemptRequest, download string) *requestView {
	return &requestView{
		Method: r.Request.Method, URL: r.Request.URL, Headers: headerLines(r.Request.Headers), SHA256: r.Request.SHA256, Same: r.Same, Why: r.Why, To: r.RemoteIP,
		Body: bodyOf(r.Body, r.BodyEncoding, r.Redacted, download),
	}
}

// attemptNumber returns the number in the path.
func (v *visit) attemptNumber() (int, error) {
	number, err := strconv.Atoi(v.path("n"))
	if err != nil || number < 1 {
		return 0, switchboard.Errorf(switchboard.CodeNotFound, "attempts are numbered from 1")
	}
	return number, nil
}

func (c *Console) attemptRequest(v *visit) (answer, error) {
	id, number, err := v.attempt()
	if err != nil {
		return answer{}, err
	}
	made, err := v.api.GetAttemptRequest(v.request.Context(), id, number)
	if err != nil {
		return answer{}, err
	}
	if v.wantsFile() {
		if made.Redacted != nil {
			return answer{}, errNotReadable()
		}
		return fileOf(fmt.Sprintf("%s-%d-request", id, number), made.Body, made.BodyEncoding), nil
	}
	shown := attemptPage{DeliveryID: id, Address: linkAttempt(id, number), Number: number, Request: requestOf(&made, linkDownload(linkAttemptRequest(id, number)))}
	return page("attempt", fmt.Sprintf("Request of attempt %d", number), shown), nil
}

func (c *Console) attemptResponse(v *visit) (answer, error) {
	id, number, err := v.attempt()
	if err != nil {
		return answer{}, err
	}
	d, err := v.api.GetDelivery(v.request.Context(), id)
	if err != nil {
		return answer{}, err
	}
	at := slices.IndexFunc(d.Attempts, func(a client.Attempt) bool { return a.Number == number })
	if at < 0 {
		return answer{}, switchboard.Errorf(switchboard.CodeNotFound, "delivery %s has no attempt %d", d.ID, number)
	}
	made := &d.Attempts[at]
	shown := attemptPage{DeliveryID: id, Address: linkAttempt(id, number), Number: number}
	switch {
	case made.Response == nil && v.wantsFile():
		return answer{}, switchboard.Errorf(switchboard.CodeNotFound, "attempt %d was not answered", number)
	case made.Response == nil:
		shown.Nothing = fmt.Sprintf("Attempt %d was not answered.", number)
	case !v.wantsFile():
		shown.Response = responseOf(id, made)
	case made.Response.Redacted != nil:
		return answer{}, errNotReadable()
	default:
		return fileOf(fmt.Sprintf("%s-%d-response", id, number), made.Response.Body, made.Response.Encoding), nil
	}
	return page("attempt", fmt.Sprintf("Response to attempt %d", number), shown), nil
}

// attempt names the requested attempt.
func (v *visit) attempt() (id string, number int, err error) {
	if err := v.checkQuery(downloadParameter); err != nil {
		return "", 0, err
	}
	number, err = v.attemptNumber()
	return v.path("id"), number, err
}

func (v *visit) wantsFile() bool { return v.request.URL.Query().Has(downloadParameter) }

func errNotReadable() error {
	return switchboard.Errorf(switchboard.CodeForbidden, "bodies need the permission read_payload, which this key does not have")
}

// fileOf returns a body as a file, whatever it contains.
func fileOf(name, text, encoding string) answer {
	return download(name+".bin", bytes.NewReader(bytesOf(text, encoding)))
}
