// Package fieldpath follows dotted paths through documents, as filters, sort orders and projections name values. It works
// on documents in two forms, decoded and as they are stored, by one set of rules, and decides nothing about the values it
// finds.
//
// # Rules
//
// A path is the keys on the way, joined by dots; a step that is a number is also the index of an array element. Where the
// way leads through an array, it leads through every element that is an object, so a path can lead to several places. It
// leads to a place without a value where an object has not the key or a scalar stands in the way; the elements of an array
// that are no objects, and an index beyond its end, are no places. Keys that hold a dot, or are empty, cannot be named.
//
// JSON Pointers, which name exactly one value, are in package canon.
package fieldpath

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrInvalid is returned for text that is no path.
var ErrInvalid = errors.New("invalid path")

// Limits of a path. A step that is an index has two meanings in an array, so each may double what a hostile document makes
// the matcher look at.
const (
	MaxSteps   = 100 // that of containers inside one another in a document
	MaxIndexes = 8   // steps that are indexes
)

// Path is a dotted path. The zero Path leads to the value itself.
type Path struct {
	text    string
	steps   []Step
	indexes int
}

// Step is one step of a path.
type Step struct {
	Key   string
	Index int // of an array element; -1 if the step is no index
}

// Parse reads a dotted path of at least one step.
func Parse(text string) (Path, error) {
	keys := strings.Split(text, ".")
	if len(keys) > MaxSteps {
		return Path{}, fmt.Errorf("%w: %d steps, the limit is %d", ErrInvalid, len(keys), MaxSteps)
	}
	p := Path{text: text, steps: make([]Step, len(keys))}
	for i, key := range keys {
		if key == "" {
			return Path{}, fmt.Errorf("%w %q: step %d is empty", ErrInvalid, text, i+1)
		}
		p.steps[i] = Step{Key: key, Index: index(key)}
		if p.steps[i].Index >= 0 {
			p.indexes++
		}
	}
	if p.indexes > MaxIndexes {
		return Path{}, fmt.Errorf("%w %q: %d steps are numbers, the limit is %d", ErrInvalid, text, p.indexes, MaxIndexes)
	}
	return p, nil
}

// index returns the array index that a step in its shortest decimal form is, or -1.
func index(key string) int {
	if key[0] < '0' || key[0] > '9' || len(key) > 1 && key[0] == '0' {
		return -1
	}
	i, err := strconv.ParseInt(key, 10, 32)
	if err != nil {
		return -1
	}
	return int(i)
}

// String returns the dotted form.
func (p Path) String() string { return p.text }

// Indexes returns how many steps are indexes.
func (p Path) Indexes() int { return p.indexes }

// Steps returns the steps, which must not be changed.
func (p Path) Steps() []Step { return p.steps }
