package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// How much of a plan is shown.
const (
	shownItems = 10 // of a list
	shownBytes = 60 // of a value
)

// show is what atoms say of a path. If hull is set only the least and the greatest of their values count.
func show(path string, atoms []*atom, hull bool) string {
	var parts []string
	var lower, upper []filter.Compare
	for _, a := range atoms {
		for _, e := range a.conditions() {
			switch e := e.(type) {
			case filter.Compare:
				switch e.Op {
				case filter.Equal:
					parts = append(parts, path+" = "+short(e.Value))
				case filter.Less, filter.LessOrEqual:
					upper = append(upper, e)
				default:
					lower = append(lower, e)
				}
			case filter.In:
				parts = append(parts, showIn(path, e.Values, hull))
			case filter.Regex:
				prefix, _, _ := literalPrefix(e.Pattern.String())
				parts = append(parts, path+" starts with "+short(value.String(prefix)))
			}
		}
	}
	if len(lower) == 1 && len(upper) == 1 {
		parts = append(parts, short(lower[0].Value)+signs[lower[0].Op-2]+path+signs[upper[0].Op]+short(upper[0].Value))
	} else {
		for _, e := range append(lower, upper...) {
			parts = append(parts, path+signs[e.Op]+short(e.Value))
		}
	}
	return list(parts, " and ")
}

// signs of the comparisons. The one two before is the one with its sides exchanged, from Greater on.
var signs = [...]string{
	filter.Equal: " = ", filter.Less: " < ", filter.LessOrEqual: " <= ", filter.Greater: " > ", filter.GreaterOrEqual: " >= ",
}

func showIn(path string, values []value.Value, hull bool) string {
	n := len(values)
	if hull || n > MaxRanges {
		return fmt.Sprintf("%s <= %s <= %s, for %d values", short(values[0]), path, short(values[n-1]), n)
	}
	shown := make([]string, 0, min(n, shownItems+1))
	for _, v := range values[:min(n, shownItems+1)] {
		shown = append(shown, short(v))
	}
	if n > shownItems {
		shown = append(shown[:shownItems], fmt.Sprintf("and %d more", n-shownItems))
	}
	return path + " in [" + strings.Join(shown, ",") + "]"
}

// list joins parts, of many only the first.
func list(parts []string, with string) string {
	if n := len(parts); n > shownItems {
		parts = append(parts[:shownItems:shownItems], strconv.Itoa(n-shownItems)+" more")
	}
	return strings.Join(parts, with)
}

// alternatives is the bounds of several accesses to one thing.
func alternatives(of []func() []string) string {
	parts := make([]string, len(of))
	for i, bounds := range of[:min(len(of), shownItems)] {
		b := bounds()
		if parts[i] = strings.Join(b, ", "); len(b) > 1 {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return list(parts, " or ")
}

// short is the beginning of a value.
func short(v value.Value) string {
	if text, ok := v.AsString(); ok && len(text) > shownBytes { // so that not all of a long one is written
		return value.String(text[:shownBytes]).String() + "…"
	}
	b := v.AppendJSON(nil)
	if len(b) > shownBytes {
		return strings.ToValidUTF8(string(b[:shownBytes]), "") + "…"
	}
	return string(b)
}
