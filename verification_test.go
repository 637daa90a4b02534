package switchboard

import "testing"

func TestVerificationValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		verify Verification
		url    string
		want   string // the wrong field; empty: valid
	}{
		{"", "https://a.test/{{id}}", ""},
		{VerificationNone, "https://a.test/{{id}}", ""},
		{VerificationChallenge, "https://a.test/hook", ""},
		{VerificationChallenge, "https://a.test/hook?id={{id}}", "verification"},
		{VerificationChallenge, "https://a.test/{%if%}", "verification"},
		{"ping", "https://a.test/hook", "verification"},
	}
	for _, test := range tests {
		s := subscription()
		s.Verification, s.Request.URL = test.verify, test.url
		if got := field(t, s.validateVerification()); got != test.want {
			t.Errorf("%s of %s: %q is at fault; want %q", test.verify, test.url, got, test.want)
		}
	}
}
