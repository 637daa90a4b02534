package signing

import "github.com/seed-49a43567/switchboard"

// None signs nothing and has no secret. Requests only carry webhook-id and webhook-timestamp.
const None switchboard.Scheme = "none"

var none = scheme{name: None}
