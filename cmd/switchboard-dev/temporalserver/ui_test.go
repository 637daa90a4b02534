package temporalserver

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestUI(t *testing.T) {
	t.Parallel()
	s := start(t, Config{DatabaseURL: pg.Empty(t)})
	ui, err := StartUI(t.Context(), UIConfig{TemporalAddr: s.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ui.Stop)
	for path, part := range map[string]string{
		"/":                             "<!doctype html>",
		"/namespaces/default/workflows": "<!doctype html>",
		"/api/v1/namespaces":            `"name": "default"`,
	} {
		if body := get(t, "http://"+ui.Addr()+path); !strings.Contains(strings.ToLower(body), part) {
			t.Errorf("%s: no %s in %.200s", path, part, body)
		}
	}
	ui.Stop()
	if l, err := listen("127.0.0.1", portOfAddr(t, ui.Addr()), "--temporal-ui-addr"); err != nil {
		t.Errorf("after Stop: %v", err)
	} else if err := l.Close(); err != nil {
		t.Error(err)
	}
}
func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, response.Status, err, body)
	}
	return string(body)
}
