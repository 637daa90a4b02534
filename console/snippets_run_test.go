package console

import (
	"fmt"
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

// program runs a snippet. The code after the snippet, or around it, calls verify for each line of
// requests.txt, which is "secret|id|timestamp|name of the signature's header|signature|file with
// the body", and prints true or false.
type program struct {
	file    string
	wrap    func(snippet, scheme string) string
	command []string
	needs   string // a command line that prints nothing and ends with 0 if the program can run
}

func after(driver string) func(snippet, _ string) string {
	return func(snippet, _ string) string { return snippet + "\n" + driver }
}

// programs are those of the languages that the tests can run. Debian does not have C#'s runtime.
func programs() map[string]program {
	return map[string]program{
		"Go": {"main.go", func(snippet, _ string) string {
			return "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\n" + snippet + `
func main() {
	lines, _ := os.ReadFile("requests.txt")
	for _, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		f := strings.Split(line, "|")
		header := http.Header{}
		header.Set("webhook-id", f[1])
		header.Set("webhook-timestamp", f[2])
		header.Set(f[3], f[4])
		body, _ := os.ReadFile(f[5])
		fmt.Println(verify(header, body, f[0]))
	}
}
`
		}, []string{"go", "run", "main.go"}, "go version"},
		"Node": {"main.js", after(`const fs = require("node:fs");
for (const line of fs.readFileSync("requests.txt", "utf8").trim().split("\n")) {
  const [secret, id, timestamp, name, signature, file] = line.split("|");
  console.log(verify({ "webhook-id": id, "webhook-timestamp": timestamp, [name]: signature }, fs.readFileSync(file), secret));
}`), []string{"node", "main.js"}, "node --version"},
		"Python": {"main.py", after(`for line in open("requests.txt"):
    secret, event_id, timestamp, name, signature, file = line.rstrip("\n").split("|")
    headers = {"webhook-id": event_id, "webhook-timestamp": timestamp, name: signature}
    print(str(verify(headers, open(file, "rb").read(), secret)).lower())`),
			[]string{"python3", "main.py"}, "python3 -c 'import cryptography'"},
		"PHP": {"main.php", after(`foreach (file('requests.txt', FILE_IGNORE_NEW_LINES) as $line) {
    [$secret, $id, $timestamp, $name, $signature, $file] = explode('|', $line);
    $server = ['HTTP_WEBHOOK_ID' => $id, 'HTTP_WEBHOOK_TIMESTAMP' => $timestamp, 'HTTP_' . strtoupper(strtr($name, '-', '_')) => $signature];
    echo var_export(verify($server, file_get_contents($file), $secret), true), "\n";
}`), []string{"php", "main.php"}, "php -r 'sodium_crypto_sign_keypair();'"},
		"Ruby": {"main.rb", after(`File.foreach("requests.txt", chomp: true) do |line|
  secret, id, timestamp, name, signature, file = line.split("|", -1)
  env = { "HTTP_WEBHOOK_ID" => id, "HTTP_WEBHOOK_TIMESTAMP" => timestamp, "HTTP_" + name.upcase.tr("-", "_") => signature }
  puts verify(env, File.binread(file), secret)
end`), []string{"ruby", "main.rb"}, "ruby -ropenssl -e 1"},
		"Java": {"Main.java", wrapJava, []string{"java", "-XX:TieredStopAtLevel=1", "Main.java"}, "javac -version"},
		"openssl": {"main.sh", func(snippet, _ string) string {
			return `while IFS='|' read -r WEBHOOK_SECRET WEBHOOK_ID WEBHOOK_TIMESTAMP name WEBHOOK_SIGNATURE file; do
	WEBHOOK_PUBLIC_KEY=$WEBHOOK_SECRET; cp "$file" body.bin
	said=$(
` + snippet + `
	)
	case "$said" in *genuine*) echo true ;; *) echo false ;; esac
done < requests.txt
`
		}, []string{"bash", "main.sh"}, "openssl version"},
	}
}

// wrapJava puts the class with the main method before the snippet's, where Java looks for it in a
// single-file program.
func wrapJava(snippet, scheme string) string {
	given := "f[1], f[2], f[4]"
	if scheme == string(signing.HMACHex) {
		given = "f[4]"
	}
	imports, class, _ := strings.Cut(snippet, "final class Webhooks")
	return imports + `class Main {
    public static void main(String[] none) throws Exception {
        for (String line : java.nio.file.Files.readAllLines(java.nio.file.Path.of("requests.txt"))) {
            String[] f = line.split("\\|", -1);
            System.out.println(Webhooks.verify(` + given + `, java.nio.file.Files.readAllBytes(java.nio.file.Path.of(f[5])), f[0]));
        }
    }
}

final class Webhooks` + class
}

// trial is a request, and whether a receiver with that secret must accept it.
type trial struct {
	name, secret, id, timestamp, header, signature string
	tampered                                       bool // the body has an additional byte
	genuine                                        bool
	byHand                                         bool // a person who checks by hand judges the time separately
}

const trialBody = "{\"a\": \"é \\u00e9 $HOME\"}\r\n"

// trials signs requests like a worker, and changes some of them. The subscription is that of the
// first.
func trials(t *testing.T, signature switchboard.Signature) ([]trial, *client.Subscription) {
	t.Helper()
	signing.SetDefaults(&signature)
	now := time.Now()
	standard := signing.IsStandardWebhooks(signature.Scheme)
	newer, older, other := signing.NewSecret(signature.Scheme), signing.NewSecret(signature.Scheme), signing.NewSecret(signature.Scheme)
	rotated := []switchboard.SigningSecret{{Secret: newer}, {Secret: older, ExpiresAt: now.Add(time.Hour)}}
	repeated := map[switchboard.Scheme]switchboard.Secret{ // od omits repeated lines
		signing.Standard:        switchboard.Secret("whsec_" + strings.Repeat("YWFh", 16)),
		signing.StandardEd25519: switchboard.Secret("whsk_" + strings.Repeat("YWFh", 10) + "YWE="),
		signing.HMACHex:         switchboard.Secret(strings.Repeat("a", 48)),
	}[signature.Scheme]
	known := func(secret switchboard.Secret) string {
		if keys := signing.PublicKeys(signature.Scheme, []switchboard.SigningSecret{{Secret: secret}}, now); len(keys) > 0 {
			return keys[0].Text
		}
		return secret.Reveal()
	}
	name := "webhook-signature"
	if !standard {
		name = strings.ToLower(signature.Header)
	}
	sign := func(what string, at time.Time, with []switchboard.SigningSecret, receiver switchboard.Secret, genuine bool) trial {
		header := http.Header{}
		must(t, signing.Sign(header, signature, "dlv_01", at, []byte(trialBody), with))
		return trial{name: what, secret: known(receiver), id: header.Get("webhook-id"), timestamp: header.Get("webhook-timestamp"), header: name, signature: header.Get(name), genuine: genuine}
	}
	only := []switchboard.SigningSecret{{Secret: newer}}
	changed := func(what string, change func(*trial)) trial {
		r := sign(what, now, only, newer, false)
		change(&r)
		return r
	}
	all := []trial{
		sign("good", now, only, newer, true),
		sign("two signatures, checked with the newer secret", now, rotated, newer, true),
		sign("two signatures, checked with the older secret", now, rotated, older, standard),
		sign("of a secret whose bytes repeat", now, []switchboard.SigningSecret{{Secret: repeated}}, repeated, true),
		sign("of another secret", now, only, other, false),
		changed("another body", func(r *trial) { r.tampered = true }),
		changed("no signature", func(r *trial) { r.signature = "" }),
		changed("a signature that is none", func(r *trial) { r.signature = "v1,*** v1a,*** sha256=***" }),
		changed("a signature of zeros", func(r *trial) {
			zeros := strings.Repeat("A", 86) + "=="
			r.signature = "v1," + zeros + " v1a," + zeros
		}),
	}
	if standard {
		for what, at := range map[string]time.Time{"six minutes old": now.Add(-6 * time.Minute), "of in an hour": now.Add(time.Hour)} {
			r := sign(what, at, only, newer, false)
			r.byHand = true
			all = append(all, r)
		}
		all = append(all, sign("a minute old", now.Add(-time.Minute), only, newer, true),
			changed("another id", func(r *trial) { r.id = "dlv_02" }),
			changed("another timestamp", func(r *trial) { r.timestamp = fmt.Sprint(now.Unix() + 1) }),
			changed("no timestamp", func(r *trial) { r.timestamp = "" }))
	}
	sub := &client.Subscription{}
	sub.Signature.Signature = signature
	return all, sub
}

// runSnippet runs the snippet on the requests, and returns its results.
func runSnippet(t *testing.T, p program, s snippet, scheme switchboard.Scheme, requests []trial) []string {
	t.Helper()
	folder := t.TempDir()
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600)) }
	write("body.txt", trialBody)
	write("tampered.txt", trialBody+" ")
	write("go.mod", "module snippet\n\ngo 1.24\n")
	write(p.file, p.wrap(s.Text, string(scheme)))
	var lines strings.Builder
	for _, r := range requests {
		body := "body.txt"
		if r.tampered {
			body = "tampered.txt"
		}
		fmt.Fprintln(&lines, strings.Join([]string{r.secret, r.id, r.timestamp, r.header, r.signature, body}, "|"))
	}
	write("requests.txt", lines.String())
	command := exec.Command(p.command[0], p.command[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", s.Language, err, complaints.String())
	}
	return strings.Fields(string(out))
}

// TestSnippetsVerify runs the snippets on requests that we sign, and on requests that somebody has
// changed or repeats.
func TestSnippetsVerify(t *testing.T) {
	t.Parallel()
	for name, signature := range map[string]switchboard.Signature{
		"standard":   {Scheme: signing.Standard},
		"ed25519":    {Scheme: signing.StandardEd25519},
		"hmac":       {Scheme: signing.HMACHex, Header: "X-Acme-Signature", Prefix: "v0="},
		"hmac plain": {Scheme: signing.HMACHex},
	} {
		_, sub := trials(t, signature)
		tab, err := snippetsOf(sub)
		must(t, err)
		if len(tab.Snippets) != len(languages()) {
			t.Errorf("%s: %d snippets", name, len(tab.Snippets))
		}
		for _, s := range tab.Snippets {
			p, runs := programs()[s.Language]
			if !runs || name == "hmac plain" && s.Language != "Node" {
				continue
			}
			t.Run(name+" "+s.Language, func(t *testing.T) {
				t.Parallel()
				if out, err := exec.Command("bash", "-c", p.needs).CombinedOutput(); err != nil {
					t.Fatalf("%s cannot run here, and make receivers installs what it needs: %s", s.Language, out)
				}
				requests, _ := trials(t, signature) // made now, because the test may have waited for its turn
				said := runSnippet(t, p, s, signature.Scheme, requests)
				if len(said) != len(requests) {
					t.Fatalf("it says %q of %d requests", said, len(requests))
				}
				for i, r := range requests {
					if want := fmt.Sprint(r.genuine || r.byHand && s.Language == "openssl"); said[i] != want {
						t.Errorf("%s: %s; want %s", r.name, said[i], want)
					}
				}
			})
		}
	}
}
