package switchboard

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestEveryBoundIsChecked: a value beyond a bound in a tag is refused, and a value at the bound is
// not refused for it.
func TestEveryBoundIsChecked(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, m := range boundedMembers(reflect.TypeFor[Subscription](), nil, "") {
		for _, c := range m.cases(t) {
			s := subscription()
			s.RateLimit = RateLimit{PerSecond: 1, Burst: 1}
			s.Adaptive = Adaptive{Enabled: true, MinimumTimeout: MinTimeout, MaxIntervalFactor: 2, MinimumAttempts: 1}
			reflect.ValueOf(&s).Elem().FieldByIndex(m.index).Set(reflect.ValueOf(c.value).Convert(m.of))
			err, refused := errors.AsType[*Error](s.Validate())
			if refused = refused && err.Field == m.path; refused == c.ok {
				t.Errorf("%s = %v: %v; want it taken: %t", m.path, c.value, err, c.ok)
			}
			checked++
		}
	}
	if checked < 60 {
		t.Errorf("%d values were tried", checked)
	}
}

type boundedMember struct {
	path  string
	index []int
	of    reflect.Type
	tag   reflect.StructTag
}

type boundCase struct {
	value any
	ok    bool
}

// boundedMembers returns the members of a struct, and of its inner structs, that have a bound.
func boundedMembers(of reflect.Type, index []int, path string) (found []boundedMember) {
	for i := range of.NumField() {
		f := of.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		m := boundedMember{path + name, append(slices.Clone(index), i), f.Type, f.Tag}
		bounded := f.Tag.Get("enum")+f.Tag.Get("minimum")+f.Tag.Get("maximum")+f.Tag.Get("shortest")+f.Tag.Get("longest") != ""
		switch {
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
			found = append(found, boundedMembers(f.Type, m.index, m.path+".")...)
		case bounded && f.Type.Kind() != reflect.Slice:
			found = append(found, m)
		}
	}
	return found
}

// cases returns values at the bounds of a member and beyond them.
func (m boundedMember) cases(t *testing.T) (cases []boundCase) {
	t.Helper()
	if enum := m.tag.Get("enum"); enum != "" {
		for word := range strings.SplitSeq(enum, ",") {
			cases = append(cases, boundCase{word, true})
		}
		return append(cases, boundCase{"other", false})
	}
	step := 1.0
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatalf("%s: the bound %q cannot be read", m.path, text)
		}
		return n
	}
	bounds := [2]string{m.tag.Get("minimum"), m.tag.Get("maximum")}
	if m.of == reflect.TypeFor[Duration]() {
		bounds = [2]string{m.tag.Get("shortest"), m.tag.Get("longest")}
		number = func(text string) float64 {
			d, err := ParseDuration(text)
			if err != nil {
				t.Fatalf("%s: the bound %q cannot be read", m.path, text)
			}
			return float64(d)
		}
	}
	if m.of.Kind() == reflect.Float64 {
		step = 0.001
		cases = append(cases, boundCase{math.NaN(), false}, boundCase{math.Inf(1), false})
	}
	for i, direction := range []float64{-1, 1} {
		if bounds[i] == "" {
			continue
		}
		bound := number(bounds[i])
		beyond := bound + direction*step
		if beyond == 0 { // zero was not given
			beyond = direction
		}
		cases = append(cases, boundCase{bound, true}, boundCase{beyond, false})
	}
	if len(cases) == 0 {
		t.Fatalf("%s: no case of %v", m.path, m.tag)
	}
	return cases
}

func TestBoundsInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*Subscription)
		want   string
	}{
		{func(s *Subscription) { s.HoldFor = 1 }, "invalid: hold_for: must be from 1m to 2160h"},
		{func(s *Subscription) { s.RateLimit.PerSecond = 1001 }, "invalid: rate_limit.per_second: must be from 0.01 to 1000"},
		{func(s *Subscription) { s.Breaker.Mode = "on" }, `invalid: breaker.mode: "on" is not known; known: auto, off`},
	} {
		s := subscription()
		c.change(&s)
		if got := fmt.Sprint(s.Validate()); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
