package switchboard

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-01-31T12:00:00Z":                  "2026-01-31T12:00:00Z",
		"2026-01-31t12:00:00z":                  "2026-01-31T12:00:00Z",
		"2026-01-31T12:00:00.5Z":                "2026-01-31T12:00:00.5Z",
		"2026-01-31T12:00:00.1234567891234567Z": "2026-01-31T12:00:00.123456Z",
		"2026-01-31T12:00:00+05:30":             "2026-01-31T06:30:00Z",
		"2026-01-31T12:00:00-23:59":             "2026-02-01T11:59:00Z",
		"2026-01-31T12:00:00-00:00":             "2026-01-31T12:00:00Z",
		"0001-01-01T00:00:01Z":                  "0001-01-01T00:00:01Z",
		"9999-12-31T23:59:59.999999999Z":        "9999-12-31T23:59:59.999999Z",
		"2016-12-31T23:59:60Z":                  "2016-12-31T23:59:59.999999Z",
		"2017-01-01T05:29:60.25+05:30":          "2016-12-31T23:59:59.999999Z",
		"2024-02-29T00:00:00Z":                  "2024-02-29T00:00:00Z",
	} {
		at, err := ParseTime(text)
		if got := at.Format(time.RFC3339Nano); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]error{
		"":                               errNoTime,
		"now":                            errNoTime,
		"2026-01-31":                     errNoTime,
		"2026-01-31T12:00:00":            errNoTime,
		"2026-01-31 12:00:00Z":           errNoTime,
		"2026-01-31T12:00Z":              errNoTime,
		"2026-01-31T12:00:00,5Z":         errNoTime,
		"2026-01-31T12:00:00.Z":          errNoTime,
		"2026-01-31T12:00:00+24:00":      errNoTime,
		"2026-01-31T12:00:00-99:00":      errNoTime,
		"2026-01-31T12:00:00+05:60":      errNoTime,
		"2026-01-31T12:00:00+0530":       errNoTime,
		"2026-01-31T12:00:00 05:30":      errNoTime,
		"2026-01-31T24:00:00Z":           errNoTime,
		"2026-01-31T12:00:61Z":           errNoTime,
		"2026-02-30T12:00:00Z":           errNoTime,
		"2025-02-29T12:00:00Z":           errNoTime,
		"12026-01-31T12:00:00Z":          errNoTime,
		"2026-01-31T12:00:00Z ":          errNoTime,
		"1769860800":                     errNoTime,
		"0001-01-01T00:00:00Z":           errZeroTime,
		"0001-01-01T00:00:00.000000400Z": errZeroTime,
		"0001-01-01T02:00:00+02:00":      errZeroTime,
		"0000-12-31T00:00:00Z":           errYear,
		"0001-01-01T00:00:00+01:00":      errYear,
		"9999-12-31T23:59:59-01:00":      errYear,
		"2016-12-31T12:30:60Z":           errLeap,
		"2016-12-30T23:59:60Z":           errLeap,
		"2016-12-31T23:59:60+01:00":      errLeap,
	} {
		if at, err := ParseTime(text); err != want { //nolint:errorlint // exactly this error
			t.Errorf("%s: %s, %v; want %v", text, at, err, want)
		}
	}
}
