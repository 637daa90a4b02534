package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Brand is the look of the portal, which is for the platform's customers.
type Brand struct {
	Name   string // of the platform; empty: Switchboard
	Logo   []byte // SVG or PNG; empty: none
	Accent string // the colour of the header, such as #0b5d46; empty: none
}

// brandPath is the path below which the logo and the colours are, with the first letters of their
// SHA-256.
const brandPath = Root + "/brand/"

const (
	maxLogo = 256 << 10
	// minContrast is the minimum contrast of text in WCAG 2.2 AA: the header's text is white on the
	// accent.
	minContrast = 4.5
)

// accentStyle sets the header to the accent.
const accentStyle = `.top { background: ACCENT; border-color: ACCENT; }
.top .brand, .top nav a, .menu > summary { color: #ffffff; }
.top nav a[aria-current] { background: none; box-shadow: inset 0 -2px #ffffff; }
.top > :focus-visible, .top nav :focus-visible, .menu > summary:focus-visible { outline-color: #ffffff; }
`

// brandFiles are the files that the portal's pages load. An empty address means no such file.
type brandFiles struct {
	logo, style string
	byPath      map[string]asset
}

func newBrandFiles(b Brand) (*brandFiles, error) {
	files := &brandFiles{byPath: map[string]asset{}}
	add := func(kind, name string, content []byte) string {
		sum := sha256.Sum256(content)
		address := brandPath + hex.EncodeToString(sum[:4]) + "/" + name
		files.byPath[address] = asset{kind: kind, content: content}
		return address
	}
	if len(b.Logo) > 0 {
		kind, name := kindOfLogo(b.Logo)
		switch {
		case kind == "":
			return nil, errors.New("Config.Brand.Logo is neither SVG nor PNG")
		case len(b.Logo) > maxLogo:
			return nil, fmt.Errorf("Config.Brand.Logo is longer than %d bytes", maxLogo)
		}
		files.logo = add(kind, name, b.Logo)
	}
	if b.Accent != "" {
		contrast, err := contrastWithWhite(b.Accent)
		switch {
		case err != nil:
			return nil, err
		case contrast < minContrast:
			return nil, fmt.Errorf("Config.Brand.Accent: white text on %s has a contrast of %.1f to 1; it must be at least %.1f", b.Accent, math.Floor(contrast*10)/10, minContrast)
		}
		files.style = add("text/css; charset=utf-8", "brand.css", []byte(strings.ReplaceAll(accentStyle, "ACCENT", strings.ToLower(b.Accent))))
	}
	return files, nil
}

// shownBrand is the brand of a page.
type shownBrand struct {
	Name  string
	Logo  string // its address; empty: ours
	Style string // the address of its colours; empty: ours
}

// brandOf returns the platform's brand for its customers, and ours for staff.
func (c *Console) brandOf(v *visit) shownBrand {
	shown := shownBrand{Name: "Switchboard"}
	if !v.session.Portal && v.request.URL.Path != linkEnter() {
		return shown
	}
	shown.Logo, shown.Style = c.brand.logo, c.brand.style
	if c.Brand.Name != "" {
		shown.Name = c.Brand.Name
	}
	return shown
}

func kindOfLogo(content []byte) (kind, name string) {
	switch {
	case bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png", "logo.png"
	case bytes.Contains(content[:min(len(content), 1024)], []byte("<svg")):
		return "image/svg+xml", "logo.svg"
	}
	return "", ""
}

// contrastWithWhite is the contrast of WCAG 2.2: (1 + 0.05) / (L + 0.05), where L is the relative
// luminance.
func contrastWithWhite(colour string) (float64, error) {
	digits, ok := strings.CutPrefix(colour, "#")
	rgb, err := strconv.ParseUint(digits, 16, 24)
	if !ok || err != nil || len(digits) != 6 {
		return 0, errors.New("Config.Brand.Accent is not a colour such as #0b5d46")
	}
	linear := func(channel uint64) float64 {
		v := float64(channel) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	luminance := 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8&0xff) + 0.0722*linear(rgb&0xff)
	return 1.05 / (luminance + 0.05), nil
}

// ServeHTTP serves a file.
func (b *brandFiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	logOf(r).route = assetsPath
	file, known := b.byPath[r.URL.Path]
	if !known {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.content) // fails only if the client has gone
}
