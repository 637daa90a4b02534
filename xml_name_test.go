package switchboard

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestIsXMLName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a":                      true,
		"_":                      true,
		"Order-1.x_y":            true,
		"größe":                  true,
		"姓名":                     true,
		"ชื่อ":                   true, // with combining marks
		"שֵׁם":                   true,
		"e\u0301t\u00e9":         true,
		"a·b":                    true, // U+00B7 is an extender
		"xml":                    true, // reserved, and well-formed
		"XML":                    true,
		"xml_feed":               true,
		"XMLData":                true,
		"xmlnsx":                 true,
		"":                       false,
		"1a":                     false,
		"-a":                     false,
		".a":                     false,
		"·a":                     false,
		"\u0301a":                false,
		"a b":                    false,
		"a:b":                    false,
		"a/b":                    false,
		"a>":                     false,
		"a=\"b\"":                false,
		"é a=\"b\"":              false,
		"é/":                     false,
		"é:a":                    false,
		"é>":                     false,
		"é/><b":                  false,
		"xmlns":                  false,
		"a\x00":                  false,
		"é\xff":                  false,
		"😀":                      false, // of the fifth edition only
		"aª":                     false,
		"ȡ":                      false,
		"é\u00a0":                false,
		strings.Repeat("a", 200): true,
		strings.Repeat("a", 201): false,
	} {
		if got := IsXMLName(name); got != want {
			t.Errorf("%q: %t; want %t", name, got, want)
		}
	}
}

func TestEscapeXMLName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"first name":     "first_x0020_name",
		"Order Details":  "Order_x0020_Details",
		"7:+":            "_x0037__x003A__x002B_", // as XmlConvert.EncodeLocalName writes it
		"a:b":            "a_x003A_b",
		"1a":             "_x0031_a",
		"a1":             "a1",
		"-":              "_x002D_",
		"a-":             "a-",
		"<a/>":           "_x003C_a_x002F__x003E_",
		"a\x00":          "a_x0000_",
		"größe":          "größe",
		"größe in cm":    "größe_x0020_in_x0020_cm",
		"ชื่อ":           "ชื่อ",
		"\u0301a":        "_x0301_a",
		"a·b":            "a·b",
		"·":              "_x00B7_",
		"😀":              "_x0001F600_",
		"xml_feed":       "xml_feed",
		"XMLData":        "XMLData",
		"xml":            "xml",
		"xmlns":          "_x0078_mlns",
		"xmlns:a":        "xmlns_x003A_a",
		"":               "_x_",
		"_x_":            "_x005F_x_",
		"_":              "_",
		"a_x":            "a_x",
		"a_x0020_b":      "a_x005F_x0020_b",
		"a_X0020_b":      "a_x005F_X0020_b",
		"a_x0001F600_":   "a_x005F_x0001F600_",
		"a_x0020":        "a_x0020",
		"a_x0020 b":      "a_x005F_x0020_x0020_b", // otherwise it would read as an escape and "x0020_b"
		"a_x002":         "a_x002",
		"a_x002_":        "a_x002_",
		"Order_Details":  "Order_Details",
		"_x005F_x0020_":  "_x005F_x005F_x005F_x0020_",
		"a\xff":          "a_xFFFD_",
		"\U000F0000name": "_x000F0000_name",
	} {
		if got := EscapeXMLName(name); got != want {
			t.Errorf("%q: %q; want %q", name, got, want)
		}
	}
}

// unescape reads a name as XmlConvert.DecodeName does.
func unescape(name string) string {
	if name == "_x_" {
		return ""
	}
	return regexp.MustCompile("_[xX]([0-9a-fA-F]{8}|[0-9a-fA-F]{4})_").ReplaceAllStringFunc(name, func(escape string) string {
		c, err := strconv.ParseUint(escape[2:len(escape)-1], 16, 32)
		if err != nil || c > 0x10FFFF {
			return escape
		}
		return string(rune(c))
	})
}

// FuzzEscapeXMLName: every text becomes a name that parsers accept, and can be read back from it,
// so no two texts become one name.
func FuzzEscapeXMLName(f *testing.F) {
	for _, name := range []string{"", "a", "first name", "_x0020_", "_x_", "xmlns", "ชื่อ", "a:b", "1", "😀", "_x0041", "__x0041 ", "_x0041_x0042_", "_x0001F60 _", "a·b", "é\u00a0", "\u0301"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		name = strings.ToValidUTF8(name, "\uFFFD")
		escaped := EscapeXMLName(name)
		if got := unescape(escaped); got != name {
			t.Errorf("%q: %q is read as %q", name, escaped, got)
		}
		token, err := xml.NewDecoder(strings.NewReader("<" + escaped + "/>")).Token()
		element, ok := token.(xml.StartElement)
		if err != nil || !ok || element.Name.Local != escaped || element.Name.Space != "" || len(element.Attr) > 0 {
			t.Errorf("%q: %q is read as %v, %v", name, escaped, token, err)
		}
	})
}
