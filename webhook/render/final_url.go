package render

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/seed-49a43567/switchboard"
)

// FinalURL returns a URL without placeholders in the form in which it is sent. This text is
// checked, shown, signed and sent, and net/http puts its path and query into the request
// line byte for byte.
//
// Surrounding spaces are removed. The scheme and the host are in lower case, and the host is
// in the ASCII form of UTS 46. The scheme's default port is omitted, and an empty path
// becomes "/". Characters that a path or query cannot hold are percent-encoded once. Encoded
// characters do not change, since %2F and / differ in meaning (RFC 3986 2.2). The error is
// an Invalid error for that field.
func FinalURL(field, raw string) (string, error) {
	raw = strings.TrimSpace(raw)
	if err := switchboard.ValidateURL(field, raw); err != nil {
		return "", err
	}
	address := switchboard.Address(raw)
	final, err := FinalAddress(field, address)
	if err != nil {
		return "", err
	}
	rest := raw[len(address):]
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	if rest, err = encodeTarget(field, rest); err != nil {
		return "", err
	}
	return final + rest, nil
}

// Origin returns the scheme, host and port to which requests for the URL are sent. The same word in
// two cases may be two hosts, as φίλος.gr and φίλοσ.gr. A text without such a form is returned as
// it is, and so is an origin of its own.
func Origin(rawURL string) string {
	if address, err := FinalAddress("url", rawURL); err == nil {
		return address
	}
	return switchboard.Address(rawURL)
}

// FinalAddress returns the scheme, host and port of a URL, in the form in which it is sent. Its
// path and query may be templates.
func FinalAddress(field, raw string) (string, error) {
	u, err := url.Parse(switchboard.Address(strings.TrimSpace(raw)))
	if err != nil {
		return "", switchboard.InvalidField(field, "is not a URL")
	}
	host, err := ASCIIHost(u.Hostname())
	if err != nil {
		return "", switchboard.InvalidField(field, "holds a host name that is not valid")
	}
	if !isHostName(host) { // an IPv4 address has the same characters
		switch ip, err := netip.ParseAddr(host); {
		case err != nil:
			return "", switchboard.InvalidField(field, "holds a host name that is not valid")
		case ip.Zone() != "":
			return "", switchboard.InvalidField(field, "may not hold an address with a zone")
		}
		host = "[" + host + "]"
	}
	port, err := strconv.ParseUint("0"+u.Port(), 10, 16)
	switch {
	case err != nil:
		return "", switchboard.InvalidField(field, "names a port that does not exist")
	case port == 0, u.Scheme == "http" && port == 80, u.Scheme == "https" && port == 443:
		return u.Scheme + "://" + host, nil
	}
	return u.Scheme + "://" + host + ":" + strconv.FormatUint(port, 10), nil
}

// ASCIIHost returns the host of a URL as net/http looks it up, in lower case and without a final
// dot. For example, full-width digits become an IP address there. It returns an error if the host
// is not a valid name.
func ASCIIHost(host string) (string, error) {
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", err
		}
		host = ascii
	}
	return strings.TrimSuffix(strings.ToLower(host), "."), nil
}

// isHostName reports whether a name in lower case only has the characters of names. RFC 1123 does
// not allow the underscore, but some names have it.
func isHostName(host string) bool {
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// encodeTarget percent-encodes the characters that a path and query cannot hold (RFC 3986 3.3 and
// 3.4). It keeps square brackets although the RFC does not allow them: browsers and curl send them
// so, and customers can write %5B.
func encodeTarget(field, text string) (string, error) {
	if !switchboard.IsEscaped(text) {
		return "", switchboard.InvalidField(field, "%s", switchboard.BadEscape)
	}
	plain := 0
	for plain < len(text) && inTarget(text[plain]) {
		plain++
	}
	if plain == len(text) {
		return text, nil
	}
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(text)+16)
	for i := range len(text) {
		if c := text[i]; inTarget(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out), nil
}

// inTarget reports whether path and query may hold the byte unencoded. A question mark begins the
// query, and is allowed in it.
func inTarget(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~!$&'()*+,;=:@/?%[]", c) >= 0
}
