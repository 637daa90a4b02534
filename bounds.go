package switchboard

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkBounds refuses the first member of a struct whose value its tags do not allow: enum, minimum
// and maximum, and shortest and longest of a duration. A member that is zero was not given.
func checkBounds(v reflect.Value, path string) error {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		if name == "" || name == "-" || field.IsZero() {
			continue
		}
		var err error
		switch at := path + name; {
		case field.Type() == reflect.TypeFor[time.Time]():
		case field.Kind() == reflect.Struct:
			err = checkBounds(field, at+".")
		case field.Type() == reflect.TypeFor[Duration]():
			err = checkRange(at, float64(field.Int()), tag.Get("shortest"), tag.Get("longest"), nanosecondsOf)
		case field.Kind() == reflect.Int:
			err = checkRange(at, float64(field.Int()), tag.Get("minimum"), tag.Get("maximum"), numberOf)
		case field.Kind() == reflect.Float64:
			err = checkRange(at, field.Float(), tag.Get("minimum"), tag.Get("maximum"), numberOf)
		case field.Kind() == reflect.String && tag.Get("enum") != "":
			if known := strings.Split(tag.Get("enum"), ","); !slices.Contains(known, field.String()) {
				err = InvalidField(at, "%q is not known; known: %s", field.String(), strings.Join(known, ", "))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRange checks a number against the ends of its range; an empty end is open.
func checkRange(field string, n float64, least, most string, read func(string) float64) error {
	if (least == "" || n >= read(least)) && (most == "" || n <= read(most)) {
		return nil
	}
	return InvalidField(field, "must be %s", rangeOf(least, most))
}

// numberOf and nanosecondsOf read a bound. A test reads those of every tag.
func numberOf(bound string) float64 {
	n, _ := strconv.ParseFloat(bound, 64)
	return n
}

func nanosecondsOf(bound string) float64 {
	d, _ := ParseDuration(bound)
	return float64(d)
}

// rangeOf describes the allowed range in words; either end may be empty.
func rangeOf(least, most string) string {
	switch {
	case most == "":
		return "at least " + least
	case least == "":
		return "at most " + most
	}
	return "from " + least + " to " + most
}
