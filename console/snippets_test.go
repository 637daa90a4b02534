package console

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/signing"
)

// driver calls verify of a snippet with the request in request.json, for the body in body.bin and for the
// one in forged.bin, and says of each whether it is genuine.
type driver struct {
	file, text string
	command    []string
}

// drivers are those of the languages that the tests can run. openssl's says it of body.bin alone.
func drivers() map[string]driver {
	return map[string]driver{
		"Go": {"main.go", `func main() {
	text, _ := os.ReadFile("request.json")
	var in struct{ Secret string; Header map[string]string }
	if err := json.Unmarshal(text, &in); err != nil { panic(err) }
	header := http.Header{}
	for name, value := range in.Header { header.Set(name, value) }
	for _, name := range []string{"body.bin", "forged.bin"} {
		body, _ := os.ReadFile(name)
		fmt.Println(verify(header, body, in.Secret))
	}
}`, []string{"go", "run", "main.go"}},
		"Node": {"main.js", `const fs = require("node:fs"), input = JSON.parse(fs.readFileSync("request.json"));
for (const name of ["body.bin", "forged.bin"]) console.log(verify(input.header, fs.readFileSync(name), input.secret));`, []string{"node", "main.js"}},
		"Python": {"main.py", `import json
given = json.load(open("request.json"))
for name in ("body.bin", "forged.bin"):
    print(str(verify(given["header"], open(name, "rb").read(), given["secret"])).lower())`, []string{"python3", "main.py"}},
		"openssl": {"main.sh", "", []string{"bash", "-c", "bash main.sh; mv forged.bin body.bin; bash main.sh"}},
	}
}

// signedRequest is a request as we send it.
type signedRequest struct {
	Secret string            `json:"secret"`
	Header map[string]string `json:"header"` // names in lower case
	body   string
}

func sign(t *testing.T, signature switchboard.Signature) (signedRequest, *client.Subscription) {
	t.Helper()
	signing.SetDefaults(&signature)
	secret := signing.NewSecret(signature.Scheme)
	secrets := []switchboard.SigningSecret{{Secret: secret}, {Secret: signing.NewSecret(signature.Scheme), ExpiresAt: time.Now().Add(time.Hour)}}
	r := signedRequest{Secret: secret.Reveal(), Header: map[string]string{}, body: "{\"a\": \"é \\u00e9 $HOME\"}\r\n"}
	header := http.Header{}
	must(t, signing.Sign(header, signature, "evt_01", time.Now(), []byte(r.body), secrets))
	for name := range header {
		r.Header[strings.ToLower(name)] = header.Get(name)
	}
	sub := &client.Subscription{}
	sub.Signature.Signature = signature
	for _, key := range signing.PublicKeys(signature.Scheme, secrets, time.Now()) {
		sub.Signature.PublicKeys = append(sub.Signature.PublicKeys, key.Text)
	}
	if len(sub.Signature.PublicKeys) > 0 {
		r.Secret = sub.Signature.PublicKeys[0]
	}
	return r, sub
}

// runSnippet verifies the request, and the same with another body, and returns what the program says.
func runSnippet(t *testing.T, s snippet, r signedRequest, signatureHeader string) string {
	t.Helper()
	d := drivers()[s.Language]
	folder := t.TempDir()
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600)) }
	input, err := json.Marshal(r)
	must(t, err)
	write("request.json", string(input))
	write("body.bin", r.body)
	write("forged.bin", r.body+" ")
	text := s.Text + "\n" + d.text
	if s.Language == "Go" {
		text = "package main\n\nimport (\n\t\"encoding/json\"\n\t\"fmt\"\n\t\"os\"\n)\n\n" + text
		write("go.mod", "module snippet\n\ngo 1.24\n")
	}
	write(d.file, text)
	command := exec.Command(d.command[0], d.command[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "WEBHOOK_SECRET="+r.Secret, "WEBHOOK_PUBLIC_KEY="+r.Secret, "WEBHOOK_ID="+r.Header["webhook-id"],
		"WEBHOOK_TIMESTAMP="+r.Header["webhook-timestamp"], "WEBHOOK_SIGNATURE="+r.Header[strings.ToLower(signatureHeader)])
	out, err := command.CombinedOutput()
	if err != nil && s.Language != "openssl" { // openssl fails on what is forged
		t.Fatalf("%s: %v: %s", s.Language, err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// TestSnippetsVerify runs the snippets on what we sign, and on what somebody has changed.
func TestSnippetsVerify(t *testing.T) {
	t.Parallel()
	for name, signature := range map[string]switchboard.Signature{
		"standard":   {Scheme: signing.Standard},
		"ed25519":    {Scheme: signing.StandardEd25519},
		"hmac":       {Scheme: signing.HMACHex, Header: "X-Acme-Signature", Prefix: "v0="},
		"hmac plain": {Scheme: signing.HMACHex},
	} {
		genuine, sub := sign(t, signature)
		tab, err := snippetsOf(sub)
		must(t, err)
		if len(tab.Snippets) != len(languages()) {
			t.Errorf("%s: %d snippets", name, len(tab.Snippets))
		}
		header := "webhook-signature"
		if signature.Scheme == signing.HMACHex {
			header = sub.Signature.Header
		}
		for _, s := range tab.Snippets {
			d, runs := drivers()[s.Language]
			if !runs || name == "hmac plain" && s.Language == "Go" {
				continue
			}
			t.Run(name+" "+s.Language, func(t *testing.T) {
				t.Parallel()
				if _, err := exec.LookPath(d.command[0]); err != nil {
					t.Fatalf("%s is not installed: make receivers installs it", d.command[0])
				}
				if s.Language == "Python" && name == "ed25519" && exec.Command("python3", "-c", "import cryptography").Run() != nil {
					t.Fatal("the package cryptography is not installed: make receivers installs it")
				}
				want := "true false"
				if s.Language == "openssl" {
					want = map[bool]string{false: "genuine forged", true: "Signature Verified Successfully genuine Signature Verification Failure"}[name == "ed25519"]
				}
				if got := runSnippet(t, s, genuine, header); !strings.HasPrefix(got, want) {
					t.Errorf("of what we sign, and of what somebody has changed: %s; want %s", got, want)
				}
			})
		}
	}
}

// TestSnippetsOfASubscription have its own header and prefix.
func TestSnippetsOfASubscription(t *testing.T) {
	t.Parallel()
	sub := &client.Subscription{}
	sub.Signature.Signature = switchboard.Signature{Scheme: "hmac-sha256-hex", Header: "X-Acme-Signature", Prefix: "v0="}
	tab, err := snippetsOf(sub)
	must(t, err)
	for _, s := range tab.Snippets {
		for _, word := range []string{"X-Webhook-Signature", "x-webhook-signature", "HTTP_X_WEBHOOK_SIGNATURE", `"sha256="`, `'sha256='`} {
			if strings.Contains(s.Text, word) {
				t.Errorf("%s has %s", s.Language, word)
			}
		}
	}
	sub.Signature.Prefix = `"; drop`
	tab, err = snippetsOf(sub)
	must(t, err)
	if tab.Prefix != `"; drop` || strings.Contains(tab.Snippets[0].Text, "drop") {
		t.Errorf("a prefix that has to be escaped stands in a program")
	}
	sub.Signature.Scheme = "none"
	if tab, err = snippetsOf(sub); err != nil || len(tab.Snippets) > 0 || tab.Note == "" {
		t.Errorf("%+v, %v", tab, err)
	}
}
