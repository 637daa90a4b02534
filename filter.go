package switchboard

// Filter narrows the events of a subscription by their content.
type Filter struct{}
