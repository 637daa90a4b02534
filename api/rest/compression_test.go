package rest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestLengthOf: the length of a compressed body is unknown, on whatever line the coding is.
func TestLengthOf(t *testing.T) {
	t.Parallel()
	for want, lines := range map[int64][][]string{
		7:  {nil, {""}, {"", ""}},
		-1: {{"gzip"}, {"", "gzip"}, {"identity", "gzip"}},
	} {
		for _, codings := range lines {
			r := httptest.NewRequest("POST", "/", strings.NewReader("1234567"))
			r.Header["Content-Encoding"] = codings
			if got := lengthOf(r); got != want {
				t.Errorf("%q: %d, want %d", codings, got, want)
			}
		}
	}
}

// TestBombIsNotUnfolded: no more than the limit of a bomb is decompressed.
func TestBombIsNotUnfolded(t *testing.T) {
	t.Parallel()
	const limit = 1000
	source := newGunzip(strings.NewReader(zipped(t, strings.Repeat("x", 10<<20))), 64<<10)
	n, err := io.Copy(io.Discard, io.LimitReader(source, limit+1))
	if n != limit+1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if left := source.body.N; left < 60<<10 {
		t.Errorf("%d bytes of the body were read", 64<<10-left)
	}
}
