package store

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const testKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func TestParseKeyring(t *testing.T) {
	t.Parallel()
	const b64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for text, ids := range map[string][]string{
		testKey:                          {"630dcd29"},
		b64:                              {"630dcd29"},
		strings.TrimSuffix(b64, "="):     {"630dcd29"},
		"k1:" + testKey:                  {"k1"},
		" k2:" + b64 + " ,k1:" + testKey: {"k2", "k1"},
	} {
		ring, err := ParseKeyring(text)
		if err != nil {
			t.Errorf("%d bytes: %v", len(text), err)
			continue
		}
		var got []string
		for _, k := range ring.keys {
			got = append(got, k.id)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("ids %v, want %v", got, ids)
		}
	}
	for name, text := range map[string]string{
		"empty": " ", "short": "c2hvcnRodW50ZXIy", "odd letters": "hunter2!hunter2!hunter2!hunter2!", "48 bytes": strings.Repeat("h", 64),
		"an empty part": testKey + ",", "no id": ":" + testKey, "bad id": "a b:" + testKey, "twice": "k:" + testKey + ",k:" + testKey,
	} {
		_, err := ParseKeyring(text)
		if err == nil || !strings.Contains(err.Error(), KeyringVariable) || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), testKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCursor(f *testing.F) {
	ring, err := ParseKeyring("k:" + testKey)
	if err != nil {
		f.Fatal(err)
	}
	l := cursors{ring, "events", switchboard.Caller{Tenant: "acme"}, switchboard.EventFilter{Type: "a"}}
	want := position{At: time.Date(2026, 7, 1, 12, 0, 0, 1000, time.UTC), ID: "evt_1", Tenant: "acme"}
	good, err := l.encode(want)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", good, good[:20], good + "A", "azo", "azo6", "?", strings.ToUpper(good), good[1:], "\x00", "AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		got, err := l.decode(cursor)
		switch {
		case cursor == "":
			if got != nil || err != nil {
				t.Errorf("empty: %v, %v", got, err)
			}
		case err == nil:
			// Nobody can make a cursor that was not issued: this is the seed's, or that of another
			// of the fuzzer's processes.
			if *got != want {
				t.Errorf("%q: got %v", cursor, got)
			}
		case cursor == good || switchboard.CodeOf(err) != switchboard.CodeInvalid:
			t.Errorf("%q: %v", cursor, err)
		}
	})
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"https://A.example/x": "a.example", "http://[::1]:80": "[::1]:80", "://": "", "https://a.example/{% if b %}c{% endif %}": "a.example"} {
		if got := hostOf(address); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

func TestSnake(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{"ID": "id", "EventID": "event_id", "LastStatusCode": "last_status_code", "URL": "url", "HeadersKeyID": "headers_key_id"} {
		if got := snake(field); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}

func TestCiphertextOpensWithItsAssociatedDataOnly(t *testing.T) {
	t.Parallel()
	ring, err := ParseKeyring(testKey)
	if err != nil {
		t.Fatal(err)
	}
	id, sealed, err := ring.seal([]byte("plain"), "here")
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := ring.open(id, sealed, "here"); err != nil || !bytes.Equal(plain, []byte("plain")) {
		t.Errorf("got %q, %v", plain, err)
	}
	if _, err := ring.open(id, sealed, "there"); err == nil {
		t.Error("opened in another place")
	}
	if _, err := ring.open("other", sealed, "here"); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("unknown key: %v", err)
	}
	if _, _, err := (*Keyring)(nil).seal(nil, ""); err == nil || !strings.Contains(err.Error(), KeyringVariable) {
		t.Errorf("no keyring: %v", err)
	}
}
