package switchboard

// Verification says how a receiver's address proves that it wants our requests,
// at creation and after each change of the address.
type Verification string

// The kinds of verification.
const (
	NoVerification Verification = "none"
	Challenge      Verification = "challenge" // a signed POST of {"challenge": …} whose bare value must come back
)
