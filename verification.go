package switchboard

// Verification says how a receiver's address proves that it wants our requests,
// at creation and after each change of the address.
type Verification string

// The kinds of verification. Empty is the same as none.
const (
	VerificationNone      Verification = "none"
	VerificationChallenge Verification = "challenge" // a signed POST of {"challenge": …} whose bare value must come back
)

// validateVerification checks that the address can be verified in the given way.
func (s *Subscription) validateVerification() error {
	switch s.Verification {
	case "", VerificationNone:
		return nil
	case VerificationChallenge:
		if HoldsTemplate(s.Request.URL) {
			return InvalidField("verification", "%s needs an address without placeholders: there is no event to fill them from", VerificationChallenge)
		}
		return nil
	}
	return InvalidField("verification", "%q is not a verification; known: %s, %s", s.Verification, VerificationNone, VerificationChallenge)
}
