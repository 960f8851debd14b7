// Package wording puts values, kinds and names into messages.
package wording

import (
	"maps"
	"slices"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// Kind is a kind in a sentence, with its article if it takes one.
func Kind(k value.Kind) string {
	switch name := k.String(); {
	case k == value.KindNull || k == value.KindBytes:
		return name
	case strings.ContainsRune("aeio", rune(name[0])):
		return "an " + name
	default:
		return "a " + name
	}
}

// Value is a value as JSON, cut behind most bytes.
func Value(v value.Value, most int) string {
	text := string(v.AppendJSON(nil))
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// Names lists the keys of a map in their order.
func Names[V any](of map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(of)), " ")
}
