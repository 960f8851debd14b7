package jsonschema

import (
	"fmt"
	"math"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// typeMask is a set of the types of JSON Schema.
type typeMask uint8

const (
	typeNull typeMask = 1 << iota
	typeBoolean
	typeInteger
	typeNumber
	typeString
	typeArray
	typeObject
)

var typeNames = []string{"null", "boolean", "integer", "number", "string", "array", "object"}

func typesOf(names []string) (m typeMask) {
	for _, name := range names {
		for i, known := range typeNames {
			if name == known {
				m |= 1 << i
			}
		}
	}
	return m
}

func (m typeMask) String() string {
	var names []string
	for i, name := range typeNames {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// typeOf returns the type that a value has for a schema. A whole number is an integer and a number.
func typeOf(v value.Value) typeMask {
	switch v.Kind() {
	case value.KindNull:
		return typeNull
	case value.KindBool:
		return typeBoolean
	case value.KindInt, value.KindUint:
		return typeInteger | typeNumber
	case value.KindFloat:
		if f, _ := v.AsFloat(); f == math.Trunc(f) && !math.IsInf(f, 0) {
			return typeInteger | typeNumber
		}
		return typeNumber
	case value.KindDecimal:
		if numberOf(v).isInteger() {
			return typeInteger | typeNumber
		}
		return typeNumber
	case value.KindArray:
		return typeArray
	case value.KindObject:
		return typeObject
	default:
		return typeString
	}
}

// kindMask is a set of the kinds of package value, in which uint is int.
type kindMask uint16

func maskOf(k value.Kind) kindMask {
	if k == value.KindUint {
		k = value.KindInt
	}
	return 1 << k
}

func (m kindMask) String() string {
	var names []string
	for k := value.KindNull; k <= value.KindTimestamp; k++ {
		if m&(1<<k) != 0 {
			names = append(names, k.String())
		}
	}
	return strings.Join(names, " or ")
}

// readKinds reads x-immudoc-kind in a schema.
func readKinds(schema value.Value, at string) (m kindMask, err error) {
	given, ok := schema.Get(kindKeyword)
	if !ok {
		return 0, nil
	}
	names := []value.Value{given}
	if given.Kind() == value.KindArray {
		names = nil
		for _, name := range given.Elements() {
			names = append(names, name)
		}
	}
	for _, name := range names {
		text, _ := name.AsString()
		known := kindMask(0)
		for k := value.KindNull; k <= value.KindTimestamp; k++ {
			if k != value.KindUint && k.String() == text {
				known = maskOf(k)
			}
		}
		if known == 0 {
			return 0, invalid(at+"/"+kindKeyword, "%s is no kind; there are %s", shown{name}, kindMask(1<<(value.KindTimestamp+1)-1)&^(1<<value.KindUint))
		}
		m |= known
	}
	if m == 0 {
		return 0, invalid(at+"/"+kindKeyword, "no kind is named")
	}
	return m, nil
}

// shown is a value in a message, in short.
type shown struct{ value.Value }

// String implements fmt.Stringer.
func (s shown) String() string {
	const most = 60
	switch s.Kind() {
	case value.KindArray:
		return fmt.Sprintf("an array of %d elements", s.Len())
	case value.KindObject:
		return fmt.Sprintf("an object of %d properties", s.Len())
	case value.KindString, value.KindBytes:
		if s.Len() > most {
			return quoted(textOf(s.Value))
		}
	}
	text := s.Value.String()
	if len(text) > 3*most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// quoted is a text in a message, in short.
func quoted(text string) string {
	const most = 60
	if len(text) > most {
		return value.String(strings.ToValidUTF8(text[:most], "") + "…").String()
	}
	return value.String(text).String()
}
