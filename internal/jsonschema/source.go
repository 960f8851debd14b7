package jsonschema

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// dialect is the metaschema of draft 2020-12.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// kindKeyword is the keyword for the kinds that JSON does not know.
const kindKeyword = "x-immudoc-kind"

// The keywords whose value is a schema, an array of schemas, or an object of schemas.
var (
	schemaKeywords = []string{
		"not", "if", "then", "else", "additionalProperties", "propertyNames", "contains", "items",
		"unevaluatedItems", "unevaluatedProperties", "contentSchema",
	}
	arrayKeywords = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
	mapKeywords   = []string{"$defs", "definitions", "properties", "patternProperties", "dependentSchemas", "dependencies"}
)

// The keywords whose value is a count, and the greatest count.
var countKeywords = []string{
	"minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties",
}

const maxCount = math.MaxInt32

// source is a schema as it was given, and where in it schemas stand.
type source struct {
	places  map[string]place    // by JSON Pointer
	anchors map[string][]anchor // by pointer to the resource they belong to
}

// place is where a schema stands.
type place struct {
	resource string   // pointer to the schema with an $id, or the root, that it belongs to
	kinds    kindMask // of x-immudoc-kind; 0 for any
}

// anchor is a $dynamicAnchor, and a pointer to the schema that has it.
type anchor struct{ name, at string }

// readSource finds the schemas in a schema.
func readSource(v value.Value) (*source, error) {
	s := &source{places: map[string]place{}, anchors: map[string][]anchor{}}
	return s, s.read(v, "", "")
}

func (s *source) read(v value.Value, at, resource string) error {
	if v.Kind() == value.KindBool {
		return s.add(at, place{resource: resource})
	}
	if v.Kind() != value.KindObject {
		return nil // the metaschema says so
	}
	if id, ok := v.Get("$id"); ok && id.Kind() == value.KindString {
		resource = at
	}
	kinds, err := readKinds(v, at)
	if err != nil {
		return err
	}
	if err := s.add(at, place{resource: resource, kinds: kinds}); err != nil {
		return err
	}
	if named, ok := v.Get("$schema"); ok {
		if name, isString := named.AsString(); isString && strings.TrimSuffix(name, "#") != dialect {
			return invalid(at+"/$schema", "%s; schemas are of draft 2020-12, %s", shown{named}, dialect)
		}
	}
	if named, ok := v.Get("$dynamicAnchor"); ok {
		name, _ := named.AsString()
		s.anchors[resource] = append(s.anchors[resource], anchor{name, at})
	}
	for _, keyword := range countKeywords {
		if n, ok := v.Get(keyword); ok && n.Kind().IsNumber() && numberOf(n).compare(ofFloat(maxCount)) > 0 {
			return invalid(at+"/"+keyword, "%s, the most is %d", shown{n}, maxCount)
		}
	}
	for _, keyword := range schemaKeywords {
		if sub, ok := v.Get(keyword); ok {
			if err := s.read(sub, at+"/"+keyword, resource); err != nil {
				return err
			}
		}
	}
	for _, keyword := range arrayKeywords {
		list, _ := v.Get(keyword)
		for i, sub := range list.Elements() {
			if err := s.read(sub, at+"/"+keyword+"/"+strconv.Itoa(i), resource); err != nil {
				return err
			}
		}
	}
	for _, keyword := range mapKeywords {
		all, _ := v.Get(keyword)
		for name, sub := range all.Members() {
			if err := s.read(sub, at+"/"+keyword+"/"+canon.EscapeToken(name), resource); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *source) add(at string, p place) error {
	s.places[at] = p
	if len(s.places) > MaxSchemas {
		return invalid("", "more than %d schemas in it, the limit", MaxSchemas)
	}
	return nil
}

// invalid makes an error about a place in a schema.
func invalid(at, format string, args ...any) error {
	if at == "" {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	return fmt.Errorf("%w: %s: %s", ErrInvalid, at, fmt.Sprintf(format, args...))
}

// Numbers in a schema have at most so many digits, and exponents up to as many: more than those of a float.
const maxDigits = 400

// plain turns a schema into what the module that reads it takes. What JSON has no type for is a string, as in documents.
func plain(v value.Value, at string) (any, error) {
	switch v.Kind() {
	case value.KindNull:
		return nil, nil
	case value.KindBool:
		b, _ := v.AsBool()
		return b, nil
	case value.KindInt, value.KindUint:
		return json.Number(v.String()), nil
	case value.KindFloat:
		f, _ := v.AsFloat()
		if math.IsInf(f, 0) {
			return nil, invalid(at, "an infinite number")
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
	case value.KindDecimal:
		neg, digits, exponent, _ := v.DecimalDigits()
		if len(digits) > maxDigits || exponent < -maxDigits || exponent > maxDigits {
			return nil, invalid(at, "a number of more than %d digits", maxDigits)
		}
		text := digits + "e" + strconv.Itoa(int(exponent))
		if neg {
			text = "-" + text
		}
		return json.Number(text), nil
	case value.KindArray:
		out := make([]any, v.Len())
		for i, e := range v.Elements() {
			var err error
			if out[i], err = plain(e, at+"/"+strconv.Itoa(i)); err != nil {
				return nil, err
			}
		}
		return out, nil
	case value.KindObject:
		out := make(map[string]any, v.Len())
		for key, m := range v.Members() {
			var err error
			if out[key], err = plain(m, at+"/"+canon.EscapeToken(key)); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return textOf(v), nil
	}
}

// fromPlain is the way back, for values in a schema that documents are compared with.
func fromPlain(v any) (value.Value, error) {
	switch v := v.(type) {
	case nil:
		return value.Null(), nil
	case bool:
		return value.Bool(v), nil
	case string:
		return value.CheckedString(v)
	case json.Number:
		return value.ParseDecimal(string(v))
	case []any:
		elems := make([]value.Value, len(v))
		for i := range v {
			var err error
			if elems[i], err = fromPlain(v[i]); err != nil {
				return value.Null(), err
			}
		}
		return value.Array(elems), nil
	case map[string]any:
		members := make([]value.Member, 0, len(v))
		for key, m := range v {
			inner, err := fromPlain(m)
			if err != nil {
				return value.Null(), err
			}
			members = append(members, value.Member{Key: key, Value: inner})
		}
		return value.Object(members)
	default:
		return value.Null(), fmt.Errorf("%w: a %T in it", ErrInvalid, v)
	}
}

// textOf is the string that a value is for a schema; that of a value that is none is empty.
func textOf(v value.Value) string {
	switch v.Kind() {
	case value.KindString:
		s, _ := v.AsString()
		return s
	case value.KindBytes:
		return base64.StdEncoding.EncodeToString(v.AppendBytes(nil))
	case value.KindUUID, value.KindTimestamp: // {"$uuid":"…"}, {"$date":"…"} or, for a year of more than 4 digits, {"$date":{"$numberLong":"…"}}
		parts := strings.Split(v.String(), `"`)
		return parts[len(parts)-2]
	}
	return ""
}

// pointerOf returns the pointer in the address of a schema of the source; ok is false for one of the metaschema.
func pointerOf(address string) (at string, ok bool) {
	fragment, ok := strings.CutPrefix(address, base+"#")
	if !ok {
		return "", false
	}
	at, err := url.PathUnescape(fragment)
	return at, err == nil
}

// addressOf is the inverse of pointerOf.
func addressOf(at string) string {
	tokens := strings.Split(at, "/")
	for i := range tokens {
		tokens[i] = url.PathEscape(tokens[i])
	}
	return base + "#" + strings.Join(tokens, "/")
}
