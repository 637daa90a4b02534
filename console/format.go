package console

import (
	"fmt"
	"html/template"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// functions are what templates may call, in addition to the links.
func functions(files *assets) template.FuncMap {
	return template.FuncMap{
		"asset": files.path,
		"icon":  files.icon,
		"ago":   ago, "clock": clock, "day": day, "moment": moment, "withTimes": withTimes,
		"short": short, "state": stateOf, "bytes": bytesInWords, "count": count, "counted": counted, "percent": percent, "plural": plural,
		"duration": durationInWords, "milliseconds": milliseconds, "live": live, "instant": instant, "sentence": sentence, "once": onceInput,

		"words": words, "commas": commas, "hasFilter": hasFilter, "hasSample": hasSample, "hasSchema": hasSchema, "linkCatalogue": linkCatalogue, "linkNewEventType": linkNewEventType, "linkEventTypeAction": linkEventTypeAction,
		"linkSubscriptions": linkSubscriptions, "linkNewSubscription": linkNewSubscription,
		"linkDelivery": linkDelivery, "linkAttempt": linkAttempt, "linkDeliveryAction": linkDeliveryAction, "linkPart": linkPart, "linkEvent": linkEvent,
		"linkSubscription": linkSubscription, "linkSubscriptionAction": linkSubscriptionAction, "linkOperation": linkOperation, "linkOperations": linkOperations,
		"linkEventType": linkEventType, "linkSearch": linkSearch, "linkSignIn": linkSignIn, "linkSignOut": linkSignOut, "linkTryIt": linkTryIt,
		"linkEnter": linkEnter, "linkKeys": linkKeys, "linkNewKey": linkNewKey, "linkRevokeKey": linkRevokeKey, "linkEndSession": linkEndSession, "linkWithdrawLink": linkWithdrawLink,
	}
}

// path returns the address of a file.
func (a *assets) path(name string) (string, error) {
	address, known := a.paths[name]
	if !known {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return address, nil
}

// icon returns a picture from the sprite. A word that says the same is always next to it.
func (a *assets) icon(name string) (template.HTML, error) {
	address, err := a.path("icons.svg")
	return template.HTML(`<svg class="icon" aria-hidden="true"><use href="` + address + `#` + template.HTMLEscapeString(name) + `"></use></svg>`), err //nolint:gosec // escaped
}

// timeElement shows a time in UTC. console.js shows it in the way that the reader has chosen, or
// else in the given style.
func timeElement(v any, style string) template.HTML {
	at, ok := timeOf(v)
	if !ok {
		return "–"
	}
	at = at.UTC()
	layout := "2 Jan 15:04:05"
	if style == "day" {
		layout = "2 Jan 2006"
	}
	iso := at.Format("2006-01-02T15:04:05.999Z")
	return template.HTML(`<time datetime="` + iso + `" data-time="` + style + `" title="` + iso + `">` + at.Format(layout) + ` UTC</time>`) //nolint:gosec // digits and letters of ours
}

// ago shows a time in lists: how long ago it was, or in how long it will be.
func ago(v any) template.HTML { return timeElement(v, "relative") }

// clock shows a time in details: local, and in UTC.
func clock(v any) template.HTML { return timeElement(v, "both") }

// day shows a date.
func day(v any) template.HTML { return timeElement(v, "day") }

// timeInText is a time in the form that the API writes in its sentences.
var timeInText = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)

// withTimes returns a text of the API, with each time in it in the form of details.
func withTimes(text string) template.HTML {
	var out strings.Builder
	end := 0
	for _, found := range timeInText.FindAllStringIndex(text, -1) {
		at, err := time.Parse(time.RFC3339, text[found[0]:found[1]])
		if err != nil { // such as the 31st of February
			continue
		}
		out.WriteString(template.HTMLEscapeString(text[end:found[0]]))
		out.WriteString(string(clock(at)))
		end = found[1]
	}
	out.WriteString(template.HTMLEscapeString(text[end:]))
	return template.HTML(out.String()) //nolint:gosec // escaped, but for times of ours
}

// timeOf returns false if there is no time: zero, or nil.
func timeOf(v any) (time.Time, bool) {
	switch t := v.(type) {
	case time.Time:
		return t, !t.IsZero()
	case *time.Time:
		if t != nil {
			return *t, !t.IsZero()
		}
	}
	return time.Time{}, false
}

// short returns the end of an id. The beginning is the time, and looks alike in all rows of a list.
func short(id string) string {
	const shown = 8
	if len(id) <= shown+len("dlv_…") {
		return id
	}
	return "…" + id[len(id)-shown:]
}

// look is how a state is shown: an icon, a word and a colour. The colour is never alone.
type look struct {
	Icon   string
	Word   string
	Colour string
}

// stateOf returns the look of a state of a delivery, a subscription, a breaker or an operation.
func stateOf(state any) look {
	word := fmt.Sprint(state)
	shown := look{Word: strings.ReplaceAll(word, "_", " ")}
	switch word {
	case "delivered", "active", "finished", "closed", "succeeded", "done":
		shown.Colour = "delivered"
	case "retrying":
		shown.Colour = "retrying"
	case "failed", "overdue", "revoked":
		shown.Colour = "failed"
	case "pending", "running":
		shown.Colour = "pending"
	case "held", "paused", "unverified":
		shown.Colour = "held"
	case "blocked", "open", "half_open":
		shown.Colour = "blocked"
	default: // cancelled, disabled, deleted, skipped, expired
		shown.Colour = "cancelled"
	}
	shown.Icon = shown.Colour
	if word == "open" || word == "half_open" {
		shown.Word = "breaker " + shown.Word
	}
	return shown
}

// sentence capitalises the first letter.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// count writes a whole number with separators: 4,310.
func count(v any) string {
	n := reflect.ValueOf(v)
	if !n.CanInt() {
		return fmt.Sprint(v)
	}
	digits := strconv.FormatInt(n.Int(), 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// counted writes a count that may be a lower bound: 10,000+.
func counted(c *switchboard.Count) string {
	switch {
	case c == nil:
		return ""
	case c.More:
		return count(c.Value) + "+"
	}
	return count(c.Value)
}

// percent writes a share in per cent, such as 98.2. Only all of it is 100.
func percent(part, whole int64) string {
	switch {
	case whole == 0:
		return "0"
	case part == whole:
		return "100"
	}
	return strconv.FormatFloat(min(math.Floor(float64(part)/float64(whole)*1000)/10, 99.9), 'f', 1, 64)
}

// plural writes "1 host" or "3 hosts".
func plural(n any, one, many string) string {
	if text := count(n); text != "1" {
		return text + " " + many
	}
	return "1 " + one
}

// bytesInWords writes a length such as 512 bytes, 1.2 kB or 3.4 MB.
func bytesInWords(n int) string {
	switch {
	case n < 1000:
		return plural(n, "byte", "bytes")
	case n < 1_000_000:
		return strconv.FormatFloat(float64(n)/1000, 'f', 1, 64) + " kB"
	}
	return strconv.FormatFloat(float64(n)/1_000_000, 'f', 1, 64) + " MB"
}

// milliseconds writes a latency such as 210 ms or 2.4 s.
func milliseconds(v any) string {
	n := reflect.ValueOf(v)
	if !n.CanInt() {
		return fmt.Sprint(v)
	}
	if ms := n.Int(); ms >= 1000 {
		return strings.TrimSuffix(strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64), ".0") + " s"
	}
	return count(v) + " ms"
}

// durationInWords writes a time in its two largest units: 2 h 7 min.
func durationInWords(d time.Duration) string {
	if d < 0 {
		return "-" + durationInWords(-d)
	}
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	units := []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, unit := range units {
		if d < unit.length {
			continue
		}
		text := strconv.FormatInt(int64(d/unit.length), 10) + " " + unit.name
		if i+1 < len(units) {
			if rest := d % unit.length / units[i+1].length; rest > 0 {
				text += " " + strconv.FormatInt(int64(rest), 10) + " " + units[i+1].name
			}
		}
		return text
	}
	return "0 s"
}

// live returns the attributes of an element that updates itself. Every so many seconds, console.js
// requests the block of that name from the page's address. The block has one element, which has
// these attributes too.
func live(name string, seconds int) template.HTMLAttr {
	name = template.HTMLEscapeString(name)
	return template.HTMLAttr(fmt.Sprintf(`id="live-%[1]s" data-live="%[2]d" hx-get="?%[3]s=%[1]s" hx-trigger="live" hx-swap="outerMorph"`, name, seconds, partParameter)) //nolint:gosec // escaped
}
