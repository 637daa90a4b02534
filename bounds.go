package switchboard

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkBounds refuses the first member of a struct whose value its tags do not allow: enum, minimum
// and maximum, and of a duration shortest and longest. A member that is zero was not given.
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
			err = checkSpan(at, Duration(field.Int()), tag)
		case field.Kind() == reflect.Int:
			err = checkNumber(at, float64(field.Int()), tag)
		case field.Kind() == reflect.Float64:
			err = checkNumber(at, field.Float(), tag)
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

// checkNumber holds a number against the tags minimum and maximum.
func checkNumber(field string, n float64, tag reflect.StructTag) error {
	least, most := tag.Get("minimum"), tag.Get("maximum")
	low, noLow := strconv.ParseFloat(least, 64)
	high, noHigh := strconv.ParseFloat(most, 64)
	if (noLow != nil || n >= low) && (noHigh != nil || n <= high) {
		return nil
	}
	return InvalidField(field, "must be %s", rangeOf(least, most))
}

// checkSpan holds a duration against the tags shortest and longest.
func checkSpan(field string, d Duration, tag reflect.StructTag) error {
	shortest, longest := tag.Get("shortest"), tag.Get("longest")
	low, noLow := ParseDuration(shortest)
	high, noHigh := ParseDuration(longest)
	if (noLow != nil || time.Duration(d) >= low) && (noHigh != nil || time.Duration(d) <= high) {
		return nil
	}
	return InvalidField(field, "must be %s", rangeOf(shortest, longest))
}

// rangeOf says in words from where to where a value may be; either end may be empty.
func rangeOf(least, most string) string {
	switch {
	case most == "":
		return "at least " + least
	case least == "":
		return "at most " + most
	}
	return "from " + least + " to " + most
}
