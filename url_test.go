package switchboard

import "testing"

func TestMaskQuery(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://r.test/hook":                              "https://r.test/hook",
		"https://r.test/hook?":                             "https://r.test/hook?",
		"https://r.test/hook?token=hunter2":                "https://r.test/hook?token=[redacted]",
		"https://r.test/hook?a=1&b=2=3&c=&&d":              "https://r.test/hook?a=[redacted]&b=[redacted]&c=[redacted]&&[redacted]",
		"https://r.test?hunter2":                           "https://r.test?[redacted]",
		"https://r.test/hook?sv=1;sig=hunter2":             "https://r.test/hook?sv=[redacted]",
		"https://r.test/hook?q=what?hunter2":               "https://r.test/hook?q=[redacted]",
		"https://r.test/{{ id }}?id={{ id }}&token=hunter": "https://r.test/{{ id }}?id=[redacted]&token=[redacted]",
		`https://r.test/{{ id | default: "?" }}/x?t=1`:     `https://r.test/{{ id | default: "?" }}/x?t=[redacted]`,
		`https://r.test/x?{{ "a&hunter2=b" }}=c`:           `https://r.test/x?{{…}}=[redacted]`,
		`https://r.test/x?{% if a %}hunter2{% endif %}`:    `https://r.test/x?[redacted]`,
	} {
		if got := MaskQuery(given); got != want {
			t.Errorf("%s: %s; want %s", given, got, want)
		}
		if before, query := SplitQuery(given); before+query != given {
			t.Errorf("%s splits into %s and %s", given, before, query)
		}
	}
}

func TestHoldsMask(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]bool{
		"https://r.test/hook?token=[redacted]":                    true,
		"https://r.test/hook?[redacted]":                          true,
		"https://r.test/hook?a=1&token=%5Bredacted%5D":            true,
		"https://r.test/hook?a=1&token=%5bredacted]":              true,
		"https://r.test/hook?token=x[redacted]":                   true,
		"https://r.test/hook?token=hunter2":                       false,
		`https://r.test/{{ a | default: "?[redacted]" }}?token=x`: false,
		"https://r.test/hook?token=%255Bredacted%255D":            false,
		"https://r.test/[redacted]":                               true,
		"https://r.test/%5Bredacted%5D?a=1":                       true,
		"https://r.test/hook/[redacted]":                          false,
		`https://r.test/{{ id | default: "[redacted]" }}`:         false,
		"https://r.test/hook?token=redacted&list=[]":              false,
	} {
		if got := HoldsMask(given); got != want {
			t.Errorf("%s: %t; want %t", given, got, want)
		}
	}
}
