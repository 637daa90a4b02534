package liquid

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxWidth limits the width in a directive; Ruby's limit is about as high.
const maxWidth = 1024

// directive is one letter of a format with its flags, as in %-d, %^a, %3N and %::z.
type directive struct {
	letter  byte
	upper   bool // ^
	swap    bool // #: capitals, or small letters if the text is in capitals
	bare    bool // -: no padding
	fill    byte // 0 or a space, if _ or 0 says so; otherwise 0
	width   int  // 0: the letter's default
	colons  int
	variant byte // E or O, which change nothing in English
}

// The letters that may follow a flag E or O, by POSIX.
const (
	lettersE = "cCxXyY"
	lettersO = "deHkIlmMSuUVwWy"
)

// composites are the letters that stand for a whole format.
var composites = map[byte]string{
	'c': "%a %b %e %H:%M:%S %Y", 'D': "%m/%d/%y", 'x': "%m/%d/%y", 'F': "%Y-%m-%d", 'r': "%I:%M:%S %p", 'R': "%H:%M",
	'T': "%H:%M:%S", 'X': "%H:%M:%S", 'v': "%e-%^b-%Y", '+': "%a %b %e %H:%M:%S %Z %Y",
}

const plainLetters = "%ntaAbBhpPZzLNYCymdejHkIlMSsuwUWVGg"

// checkFormat returns an error if the format has a directive that cannot be written.
func checkFormat(format string) error {
	for {
		_, after, found := strings.Cut(format, "%")
		if !found {
			return nil
		}
		_, length, err := readDirective(after)
		if err != nil {
			return err
		}
		format = after[length:]
	}
}

// readDirective reads a directive after its percent sign.
func readDirective(s string) (d directive, length int, err error) {
	for ; length < len(s); length++ {
		switch c := s[length]; {
		case c == '-':
			d.bare, d.width = true, 0
		case c == '^':
			d.upper = true
		case c == '#':
			d.swap = true
		case c == '_':
			d.fill = ' '
		case c == '0' && d.width == 0:
			d.fill = '0'
		case c >= '0' && c <= '9':
			if d.width = d.width*10 + int(c-'0'); d.width > maxWidth {
				return d, 0, fmt.Errorf("has a format that fills up to more than %d characters", maxWidth)
			}
		case c == ':':
			d.colons++
		case c == 'E' || c == 'O':
			d.variant = c
		default:
			d.letter = c
			if d.known() {
				return d, length + 1, nil
			}
			_, size := utf8.DecodeRuneInString(s[length:])
			return d, 0, fmt.Errorf("does not know %%%s in a format", head(strings.ToValidUTF8(s[:length+size], "�")))
		}
	}
	return d, 0, errors.New("has a format that ends with %")
}

func (d directive) known() bool {
	_, composite := composites[d.letter]
	switch {
	case !composite && strings.IndexByte(plainLetters, d.letter) < 0:
		return false
	case d.colons > 0 && (d.letter != 'z' || d.colons > 3):
		return false
	case d.variant == 'E':
		return strings.IndexByte(lettersE, d.letter) >= 0
	case d.variant == 'O':
		return strings.IndexByte(lettersO, d.letter) >= 0
	}
	return true
}

// strftime writes a time by a format of Ruby's method of the same name. It copies unknown
// directives.
func strftime(at time.Time, format string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(format, "%")
		if b.WriteString(before); !found {
			return b.String(), nil
		}
		d, length, err := readDirective(after)
		if err != nil {
			b.WriteByte('%')
		} else {
			b.WriteString(d.write(at))
		}
		if b.Len() > MaxValue {
			return "", errLong
		}
		format = after[length:]
	}
}

// write writes the value of the directive.
func (d directive) write(at time.Time) string {
	switch d.letter {
	case 'z':
		return d.offset(at)
	case 'L':
		return d.fraction(at, 3)
	case 'N':
		return d.fraction(at, 9)
	}
	if n, width, fill, ok := d.number(at); ok {
		return d.padded(n, width, fill)
	}
	return d.text(at)
}

// number returns the number that a directive writes, its width, and its padding.
func (d directive) number(at time.Time) (n int64, width int, fill byte, ok bool) {
	isoYear, isoWeek := at.ISOWeek()
	hour12 := (at.Hour()+11)%12 + 1
	day, weekday := at.YearDay()-1, int(at.Weekday())
	number := func(n, width int) (int64, int, byte, bool) { return int64(n), width, '0', true }
	spaced := func(n int) (int64, int, byte, bool) { return int64(n), 2, ' ', true }
	year := func(year int) (int64, int, byte, bool) {
		if year < 0 {
			return number(year, 5)
		}
		return number(year, 4)
	}
	switch d.letter {
	case 'Y':
		return year(at.Year())
	case 'G':
		return year(isoYear)
	case 'C':
		return number(floorDiv(at.Year(), 100), 2)
	case 'y':
		return number(at.Year()-100*floorDiv(at.Year(), 100), 2)
	case 'g':
		return number(isoYear-100*floorDiv(isoYear, 100), 2)
	case 'm':
		return number(int(at.Month()), 2)
	case 'd':
		return number(at.Day(), 2)
	case 'e':
		return spaced(at.Day())
	case 'j':
		return number(day+1, 3)
	case 'H':
		return number(at.Hour(), 2)
	case 'k':
		return spaced(at.Hour())
	case 'I':
		return number(hour12, 2)
	case 'l':
		return spaced(hour12)
	case 'M':
		return number(at.Minute(), 2)
	case 'S':
		return number(at.Second(), 2)
	case 's':
		return at.Unix(), 1, '0', true
	case 'u':
		return number((weekday+6)%7+1, 1)
	case 'w':
		return number(weekday, 1)
	case 'U':
		return number((day+7-weekday)/7, 2)
	case 'W':
		return number((day+7-(weekday+6)%7)/7, 2)
	case 'V':
		return number(isoWeek, 2)
	}
	return 0, 0, 0, false
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

// padded writes a number in the width of the directive, or else in its letter's default width.
func (d directive) padded(n int64, width int, fill byte) string {
	if d.fill != 0 {
		fill = d.fill
	}
	if d.width > 0 {
		width = d.width
	}
	digits := strconv.FormatInt(n, 10)
	missing := width - len(digits)
	switch {
	case d.bare && d.width == 0 || missing <= 0:
		return digits
	case fill == '0' && n < 0:
		return "-" + strings.Repeat("0", missing) + digits[1:]
	}
	return strings.Repeat(string(fill), missing) + digits
}

// text writes a name, or the value of a composite.
func (d directive) text(at time.Time) string {
	s := ""
	switch d.letter {
	case 'a':
		s = at.Weekday().String()[:3]
	case 'A':
		s = at.Weekday().String()
	case 'b', 'h':
		s = at.Month().String()[:3]
	case 'B':
		s = at.Month().String()
	case 'p', 'P':
		s = at.Format("PM")
	case 'Z':
		s = zoneName(at)
	case 'n':
		s = "\n"
	case 't':
		s = "\t"
	case '%':
		s = "%"
	default:
		s, _ = strftime(at, composites[d.letter]) // the formats are short, so it cannot be too long
	}
	switch {
	case d.letter == 'p' && d.swap, d.letter == 'Z' && d.swap, d.letter == 'P' && !d.swap && !d.upper:
		s = strings.ToLower(s)
	case d.upper, d.swap && strings.IndexByte("aAbBh", d.letter) >= 0:
		s = strings.ToUpper(s)
	}
	fill := " "
	if d.fill == '0' {
		fill = "0"
	}
	if missing := d.width - len(s); missing > 0 && !d.bare {
		s = strings.Repeat(fill, missing) + s
	}
	return s
}

// zoneName returns the zone's name, or its offset if it has none.
func zoneName(at time.Time) string {
	if name, _ := at.Zone(); name != "" {
		return name
	}
	return at.Format("-07:00")
}

// fraction writes the digits of the second's fraction, cut off or padded with zeros.
func (d directive) fraction(at time.Time, digits int) string {
	if d.width > 0 {
		digits = d.width
	}
	all := fmt.Sprintf("%09d", at.Nanosecond())
	if digits <= len(all) {
		return all[:digits]
	}
	return all + strings.Repeat("0", digits-len(all))
}

// offset writes the offset from UTC: +0100, with one colon +01:00, with two +01:00:00, with three
// the shortest form that suffices.
func (d directive) offset(at time.Time) string {
	_, seconds := at.Zone()
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	hours, minutes, seconds := seconds/3600, seconds/60%60, seconds%60
	tail := ""
	switch {
	case d.colons == 0:
		tail = fmt.Sprintf("%02d", minutes)
	case d.colons == 1, d.colons == 3 && seconds == 0 && minutes != 0:
		tail = fmt.Sprintf(":%02d", minutes)
	case d.colons == 2, d.colons == 3 && seconds != 0:
		tail = fmt.Sprintf(":%02d:%02d", minutes, seconds)
	}
	width := 2
	if d.width > 0 {
		width = max(1, d.width-len(sign)-len(tail))
	}
	switch {
	case d.bare:
		return sign + strconv.Itoa(hours) + tail
	case d.fill == ' ':
		return fmt.Sprintf("%*s", width+1, sign+strconv.Itoa(hours)) + tail
	}
	return fmt.Sprintf("%s%0*d", sign, width, hours) + tail
}
