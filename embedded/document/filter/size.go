package filter

import "github.com/immudoc/immudoc/embedded/document/value"

// What a filter takes in memory.
const (
	bytesOfCondition = 128
	bytesOfStep      = 128 // of a compiled pattern
	bytesOfValue     = 64
)

// Size is how many bytes the filter takes in memory, roughly.
func (f Filter) Size() int { return sizeOf(f.Expr()) }

func sizeOf(e Expr) int {
	n := bytesOfCondition
	switch e := e.(type) {
	case And:
		return n + sizeOfAll(e.Of)
	case Or:
		return n + sizeOfAll(e.Of)
	case Not:
		return n + sizeOf(e.Of)
	case ElemMatch:
		return n + sizeOf(e.Of)
	case Compare:
		return n + sizeOfValue(e.Value)
	case In:
		for _, v := range e.Values {
			n += sizeOfValue(v)
		}
	case Regex:
		return n + e.Steps*bytesOfStep
	case Expression:
		return n + MaxNodes // as many as it may have, each of some bytes
	}
	return n
}

func sizeOfAll(of []Expr) (n int) {
	for _, e := range of {
		n += sizeOf(e)
	}
	return n
}

func sizeOfValue(v value.Value) int {
	n := bytesOfValue
	if !v.Kind().IsContainer() {
		return n + v.Len()
	}
	for _, e := range v.Elements() {
		n += sizeOfValue(e)
	}
	for key, m := range v.Members() {
		n += len(key) + sizeOfValue(m)
	}
	return n
}
