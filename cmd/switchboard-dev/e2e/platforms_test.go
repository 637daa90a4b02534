package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/cloudflare/circl/sign/ed25519"
	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seed-49a43567/switchboard/catalogue"

	"github.com/seed-49a43567/switchboard/client"
)

// Every example of the catalogue is posted and arrives in the form for the platform's own
// customers: the body, and the signature, which is checked with another implementation.
func TestEveryExampleOfThePlatforms(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	types, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiverFunc(t, answerChallenge)
	for platform, c := range map[string]struct {
		examples int
		verify   func(t *testing.T, secret string, got received)
	}{
		"signalzen": {11, verifyHMAC},
		"ziwo":      {6, verifyStandard},
		"iomnihub":  {5, verifyStandard},
		"commbox":   {29, verifyStandard},
		"firstline": {14, verifyStandard},
	} {
		examples := types.Examples(platform)
		if len(examples) != c.examples {
			t.Errorf("%s has %d examples, want %d", platform, len(examples), c.examples)
		}
		for i, example := range examples {
			t.Run(platform+"/"+example.EventType+"/"+example.Name, func(t *testing.T) {
				got, secret := s.deliverExample(t, r, example, i, nil)
				c.verify(t, secret, got)
				compareBodies(t, example, got.body)
			})
			if example.XML == "" {
				continue
			}
			t.Run(platform+"/"+example.EventType+"/"+example.Name+"/xml", func(t *testing.T) {
				got, secret := s.deliverExample(t, r, example, i, fields{"content_type": "application/xml"})
				c.verify(t, secret, got)
				if diff := cmp.Diff(tree(t, []byte(example.XML)), tree(t, got.body)); diff != "" {
					t.Errorf("XML (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// deliverExample makes a subscription of the example's platform, posts its event, and returns what
// arrived.
func (s *system) deliverExample(t *testing.T, r *receiver, e catalogue.Example, i int, request fields) (got received, secret string) {
	t.Helper()
	tenant := strings.NewReplacer("/", "-", " ", "-", "#", "").Replace(t.Name()[strings.Index(t.Name(), "/")+1:])
	subscription := fields{"tenant": tenant, "name": "example", "profile": e.Platform, "events": []string{e.EventType}}
	if request == nil {
		request = fields{}
	}
	if e.Script != nil {
		subscription["use_case"] = e.Script.UseCase
		if err := json.Unmarshal(e.Script.Request, &request); err != nil {
			t.Fatal(err)
		}
	}
	path := "/" + tenant
	request["url"] = r.URL + path
	subscription["request"] = request
	a := s.call(http.MethodPost, "/v1/subscriptions", subscription)
	if a.status != http.StatusCreated {
		t.Fatalf("subscribe: answered %d %s", a.status, a.body)
	}
	created := as[struct{ Secret, State string }](t, a)
	if created.State != "active" {
		t.Fatalf("the subscription is %s", a.body)
	}
	before := r.at(path)
	a = s.call(http.MethodPost, "/v1/events", `{"tenant":"`+tenant+`","type":"`+e.EventType+`","data":`+string(e.Data)+`}`)
	if a.status != http.StatusAccepted {
		t.Fatalf("post: answered %d %s", a.status, a.body)
	}
	accepted := as[client.Acceptance](t, a)
	if len(accepted.Deliveries) != 1 || len(accepted.Warnings) > 0 {
		t.Fatalf("post: answered %s", a.body)
	}
	s.awaitState(accepted.Deliveries[0].ID, "delivered")
	arrived := r.at(path)
	if len(arrived) != len(before)+1 {
		t.Fatalf("%d requests arrived, want 1", len(arrived)-len(before))
	}
	return arrived[len(before)], created.Secret
}

// answerChallenge answers challenges in the way of SignalZen's customers, and accepts everything
// else.
func answerChallenge(_ int, w http.ResponseWriter, request *http.Request) {
	var asked struct{ Challenge string }
	_ = json.NewDecoder(request.Body).Decode(&asked) // bodies of other platforms are not a challenge
	_, _ = io.WriteString(w, asked.Challenge)
}

// at returns what has been received at the path so far.
func (r *receiver) at(path string) []received {
	return slices.DeleteFunc(slices.Clone(r.got()), func(got received) bool { return got.path != path })
}

func compareBodies(t *testing.T, e catalogue.Example, body []byte) {
	t.Helper()
	if e.Body == nil {
		if !bytes.Equal(body, e.Data) {
			t.Errorf("arrived as\n%s\nwant the bytes that were posted\n%s", body, e.Data)
		}
		return
	}
	var got, want map[string]any
	for into, text := range map[*map[string]any][]byte{&got: body, &want: e.Body} {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	// An example cannot know when the event happened, but knows everything else.
	if stamp, ok := got["timestamp"].(string); ok && want["timestamp"] != nil {
		want["timestamp"] = stamp
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// verifyHMAC checks the signature in the way of SignalZen's documentation, with Node if available,
// otherwise with openssl.
func verifyHMAC(t *testing.T, secret string, got received) {
	t.Helper()
	script := `const c=require("node:crypto");const h=c.createHmac("sha256",process.env.SECRET);process.stdin.on("data",d=>h.update(d)).on("end",()=>console.log(h.digest("hex")))`
	command := exec.Command("node", "-e", script)
	if _, err := exec.LookPath("node"); err != nil {
		command = exec.Command("openssl", "dgst", "-sha256", "-r", "-hmac", secret)
	}
	command.Env = append(command.Environ(), "SECRET="+secret)
	command.Stdin = bytes.NewReader(got.body)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v", command.Path, err)
	}
	if want := strings.Fields(string(out))[0]; got.header.Get("x-signalzen-signature") != want {
		t.Errorf("signed %q, and %s says %q", got.header.Get("x-signalzen-signature"), command.Path, want)
	}
}

// verifyStandard checks the signature with the official library.
func verifyStandard(t *testing.T, secret string, got received) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(got.body, got.header); err != nil {
		t.Errorf("the official library refuses the signature: %v", err)
	}
}

// A subscription signs with Ed25519, and anybody with access can read its public key.
func TestEd25519SignatureAndPublicKeys(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	id, _ := s.subscribe(r.URL, fields{"signature": fields{"scheme": "standard-ed25519"}})
	s.awaitState(s.post("ticket.created", `{"id":1}`), "delivered")
	listed := as[struct{ Keys []struct{ X string } }](t, s.call(http.MethodGet, "/v1/subscriptions/"+id+"/jwks", nil))
	if len(listed.Keys) != 1 {
		t.Fatalf("%d public keys, want 1", len(listed.Keys))
	}
	public, err := base64.RawURLEncoding.DecodeString(listed.Keys[0].X)
	if err != nil {
		t.Fatal(err)
	}
	got := r.got()[0]
	encoded, ok := strings.CutPrefix(got.header.Get("webhook-signature"), "v1a,")
	if !ok {
		t.Fatalf("signature %q", got.header.Get("webhook-signature"))
	}
	signature, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	signed := got.header.Get("webhook-id") + "." + got.header.Get("webhook-timestamp") + "." + string(got.body)
	if !ed25519.Verify(public, []byte(signed), signature) {
		t.Error("another implementation refuses the signature")
	}
}

// node is an element of XML without insignificant differences: the order of attributes, space
// between elements, and that of JSON in its text.
type node struct {
	Name       string
	Attributes map[string]string
	Text       any
	Children   []node
}

func tree(t *testing.T, text []byte) node {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	root := &node{}
	stack := []*node{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			attributes := maps.Collect(func(yield func(string, string) bool) {
				for _, a := range token.Attr {
					if !yield(a.Name.Local, a.Value) {
						return
					}
				}
			})
			stack = append(stack, &node{Name: token.Name.Local, Attributes: attributes})
		case xml.CharData:
			text, _ := top.Text.(string)
			top.Text = text + string(token)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
			parent := stack[len(stack)-1]
			parent.Children = append(parent.Children, normalized(*top))
		}
	}
	if len(root.Children) != 1 {
		t.Fatalf("%d outermost elements in %s", len(root.Children), text)
	}
	return root.Children[0]
}

// normalized sorts the element's children, and decodes its text if that is a JSON object.
func normalized(n node) node {
	slices.SortStableFunc(n.Children, func(a, b node) int { return strings.Compare(a.Name, b.Name) })
	text, _ := n.Text.(string)
	n.Text = strings.TrimSpace(text)
	var value map[string]any
	if json.Unmarshal([]byte(text), &value) == nil {
		n.Text = value
	}
	return n
}
