package render

import (
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestValuesStayInTheirPlace: for any text around it.
func TestValuesStayInTheirPlace(t *testing.T) {
	t.Parallel()
	const up = "x/../../admin"
	for _, test := range []struct{ written, value, want string }{
		{"/users/{{ v }}/card", up, "/users/x%2F..%2F..%2Fadmin/card"},
		{"/x y/users/{{ v }}/card", up, "/x%20y/users/x%2F..%2F..%2Fadmin/card"},
		{"/é/{{ v }}", "a;b,c", "/%C3%A9/a%3Bb%2Cc"},
		{"/a|{{ v }}|b", "/", "/a%7C%2F%7Cb"},
		{"/{{ v }}{{ v }}", "/", "/%2F%2F"},
		{"/a%2F{{ v }}", "b", "/a%2Fb"},
		{"/a/{{ v }};{{ v }}", "x", "/a/x;x"},
		{"/hook?name=John Doe&id={{ v }}", "a&b=c d", "/hook?name=John%20Doe&id=a%26b%3Dc+d"},
		{"/hook?Zoë{{ v }}é", "#%", "/hook?Zo%C3%AB%23%25%C3%A9"},
		{"/{{ v }}?{{ v }}", "\x00\x01", "/%00%01?%00%01"},
		{"/{{ v }}", "%2e%2e", "/%252e%252e"},
		{`/{{ "a b" }}{% if v == "x" %} {% endif %}`, "x", "/a%20b%20"},
	} {
		w := script("POST", "application/json", `{}`)
		w.Subscription.Request.URL = "https://api.example.com" + test.written
		w.Event.Data, _ = event(t, test.value)
		if got := rendered(t, w).URL; got != "https://api.example.com"+test.want {
			t.Errorf("%s with %q: %s; want %s", test.written, test.value, got, test.want)
		}
	}
	for _, test := range []struct{ written, value, words string }{
		{"/a b/{{ v }}/c", "..", `".."`},
		{"/a/.{{ v }}|", ".", ""}, // ..%7C is a name like any other
		{"/a%2F{{ v }}/c", "..", `".."`},
		{"/a%5c{{ v }}", "..", `".."`},
		{`/a\{{ v }}`, ".", `"."`},
		{"/a/{{ v }};x=1/c", "..", `".."`},
		{"/a/%2E{{ v }};x", ".", `".."`},
		{"/a/{{ v }};x", "", "segment 2"},
		{"/a%{{ v }}", "2e", "%25"},
		{"/a%2{{ v }}/b", "F", "%25"},
		{"/a?b=%{{ v }}", "26c", "%25"},
	} {
		w := script("POST", "application/json", `{}`)
		w.Subscription.Request.URL = "https://api.example.com" + test.written
		w.Event.Data, _ = event(t, test.value)
		if test.words == "" {
			rendered(t, w)
			continue
		}
		wantField(t, test.written, w, "request.url", test.words)
	}
}

func TestFinalURL(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		" https://Example.COM:443/a b \t\r\n": "https://example.com/a%20b",
		"http://example.com:80?x":             "http://example.com/?x",
		"http://example.com:443":              "http://example.com:443/",
		"https://example.com:":                "https://example.com/",
		"https://example.com:08443/":          "https://example.com:8443/",
		"https://[2001:DB8::1]:8443/x":        "https://[2001:db8::1]:8443/x",
		"https://[::ffff:192.0.2.1]/":         "https://[::ffff:192.0.2.1]/",
		"http://１９２.0.2.1/":                   "http://192.0.2.1/",
		"http://example.com/a%2Fb?c%20d":      "http://example.com/a%2Fb?c%20d",
	} {
		got, err := FinalURL("auth.token_url", given)
		if err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", given, got, err, want)
			continue
		}
		if again, err := FinalURL("auth.token_url", got); err != nil || again != got {
			t.Errorf("%q: once more %s, %v", given, again, err)
		}
	}
	for _, given := range []string{
		"", " ", "example.com", "ftp://example.com", "http://", "http://a b/", "http://a/\tb", "http://a/\nb", "http://a/%", "http://a/%2", "http://a/%zz", "http://a/?%", "http://a/?a=%2",
		"http://a/?50% off", "http://a/?%u00e9", "http://u:p@a/", "http://a/#b", "http://a:0/", "http://a:65536/", "http://[::1%25lo]/", "http://a\"b/", "http://\u200d/",
	} {
		got, err := FinalURL("auth.token_url", given)
		if switchboard.CodeOf(err) != switchboard.CodeInvalid || !strings.Contains(err.Error(), "auth.token_url") {
			t.Errorf("%q: %s, %v", given, got, err)
		}
	}
}
