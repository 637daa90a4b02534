package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// operationChangePage is the form that pauses, resumes or cancels an operation.
type operationChangePage struct {
	Operation operationLine
	Change    switchboard.OperationChange
	Title     string
	Danger    bool
	Reason    reasonField
	Faults    []fieldFault
}

func (c *Console) readOperationChange(v *visit) (*operationChangePage, error) {
	change := switchboard.OperationChange(v.path("change"))
	if !slices.Contains([]switchboard.OperationChange{switchboard.PauseOperation, switchboard.ResumeOperation, switchboard.CancelOperation}, change) {
		return nil, errNoPage(v.request.URL.Path)
	}
	if err := v.checkQuery(); err != nil {
		return nil, err
	}
	o, err := v.api.GetOperation(v.request.Context(), v.path("id"))
	if err != nil {
		return nil, err
	}
	title := changeText(change) + " the " + operationTitle(&o)
	return &operationChangePage{Operation: operationLineOf(o), Change: change, Title: title, Danger: change == switchboard.CancelOperation, Reason: reasonField{Last: v.lastReasons()}}, nil
}

func (c *Console) operationChangeForm(v *visit) (answer, error) {
	data, err := c.readOperationChange(v)
	if err != nil {
		return answer{}, err
	}
	return page("operation_change", data.Title, data), nil
}

func (c *Console) operationChange(v *visit) (answer, error) {
	data, err := c.readOperationChange(v)
	if err != nil {
		return answer{}, err
	}
	data.Reason.Value = strings.TrimSpace(v.request.PostFormValue("reason"))
	again := func(code int, faults ...fieldFault) (answer, error) {
		data.Faults = faults
		return page("operation_change", data.Title, data).status(code), nil
	}
	if text := reasonFault(data.Reason.Value); text != "" {
		data.Reason.Error = text
		return again(http.StatusUnprocessableEntity, fieldFault{"reason", text})
	}
	ctx, id := v.request.Context(), data.Operation.ID
	var o client.Operation
	switch data.Change {
	case switchboard.PauseOperation:
		o, err = v.api.PauseOperation(ctx, id, data.Reason.Value, v.once())
	case switchboard.ResumeOperation:
		o, err = v.api.ResumeOperation(ctx, id, data.Reason.Value, v.once())
	case switchboard.CancelOperation:
		o, err = v.api.CancelOperation(ctx, id, data.Reason.Value, v.once())
	}
	if code := statusOfForm(err); code != 0 {
		return again(code, refusalOf(err))
	}
	if err != nil {
		return answer{}, err
	}
	return redirect(linkOperation(o.ID)), nil
}
