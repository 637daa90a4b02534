package rest

import "testing"

func TestHolders(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"198.51.100.7:1":           "198.51.100.7",
		"[::ffff:198.51.100.7]:1":  "198.51.100.7",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:7":      "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":         "fe80::/64",
		"@":                        "@",
		"":                         "",
	} {
		if got := holderOf(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestPeers(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"198.51.100.7:1":          "198.51.100.7",
		"[::ffff:198.51.100.7]:1": "198.51.100.7",
		"[2001:db8::9]:7":         "2001:db8::9",
		"@":                       "@",
		"":                        "",
	} {
		if got := peerOf(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
