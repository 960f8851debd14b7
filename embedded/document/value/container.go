package value

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// Member is a key and its value in an object.
type Member struct {
	Key   string
	Value Value
}

// CompareKeys is the canonical order of keys (Invariant 1): the shorter in bytes first, then bytewise. It is the bytewise
// order of the keys' canonical CBOR encodings.
func CompareKeys(a, b string) int {
	if len(a) != len(b) {
		return cmp.Compare(len(a), len(b))
	}
	return strings.Compare(a, b)
}

// Array returns an array with a copy of elems.
func Array(elems []Value) Value {
	return UncheckedArray(slices.Clone(elems))
}

// Object returns an object with a copy of members, in any order. Errors are ErrDuplicateKey and ErrInvalidUTF8 (a key).
func Object(members []Member) (Value, error) {
	for _, m := range members {
		if !utf8.ValidString(m.Key) {
			return Value{}, fmt.Errorf("%w at byte %d of the key %s", ErrInvalidUTF8, invalidAt(m.Key), quoteShort(m.Key))
		}
	}
	sorted, dup, found := sortedMembers(members)
	if found {
		return Value{}, fmt.Errorf("%w %s: give each key of an object once", ErrDuplicateKey, quoteShort(dup))
	}
	return UncheckedObject(sorted), nil
}

// UncheckedString returns a string without looking at s. It is for readers that have checked that s is valid UTF-8.
func UncheckedString(s string) Value { return Value{kind: KindString, str: s} }

// UncheckedArray returns an array that takes elems over; the caller must not use the slice again. It is for readers.
func UncheckedArray(elems []Value) Value {
	v := Value{kind: KindArray, aux: 1}
	if len(elems) == 0 {
		return v
	}
	for i := range elems {
		if elems[i].kind.IsContainer() && elems[i].aux >= v.aux {
			v.aux = elems[i].aux + 1
		}
	}
	v.kids = &kids{elems: elems}
	return v
}

// UncheckedObject returns an object that takes members over; the caller must not use the slice again. It is for readers
// that have checked that the keys are valid UTF-8, distinct, and in the order of CompareKeys.
func UncheckedObject(members []Member) Value {
	v := Value{kind: KindObject, aux: 1}
	if len(members) == 0 {
		return v
	}
	for i := range members {
		if k := &members[i].Value; k.kind.IsContainer() && k.aux >= v.aux {
			v.aux = k.aux + 1
		}
	}
	v.kids = &kids{members: members}
	return v
}

// Index returns element i of an array. Out of range, or for any other kind, it returns null; Len tells.
func (v Value) Index(i int) Value {
	if v.kind != KindArray || i < 0 || i >= v.Len() {
		return Value{}
	}
	return v.kids.elems[i]
}

// Member returns member i of an object in canonical order. Out of range, or for any other kind, it returns the zero
// Member; Len tells.
func (v Value) Member(i int) Member {
	if v.kind != KindObject || i < 0 || i >= v.Len() {
		return Member{}
	}
	return v.kids.members[i]
}

// Elements ranges over the elements of an array with their indexes; over nothing for any other kind.
func (v Value) Elements() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.kids == nil {
			return
		}
		for i := range v.kids.elems {
			if !yield(i, v.kids.elems[i]) {
				return
			}
		}
	}
}

// Members ranges over the members of an object in canonical order; over nothing for any other kind.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.kids == nil {
			return
		}
		for i := range v.kids.members {
			if m := &v.kids.members[i]; !yield(m.Key, m.Value) {
				return
			}
		}
	}
}

// Get returns the member with this key; ok is false if there is none or v is no object.
func (v Value) Get(key string) (member Value, ok bool) {
	if v.kids == nil {
		return Value{}, false
	}
	if i, found := v.search(key); found {
		return v.kids.members[i].Value, true
	}
	return Value{}, false
}

// search finds a key, or the place where it would stand. v.kids is not nil.
func (v Value) search(key string) (int, bool) {
	return slices.BinarySearchFunc(v.kids.members, key, func(m Member, key string) int {
		return CompareKeys(m.Key, key)
	})
}

// With returns v with one member set; v itself does not change. If v is no object the result is an object with that one
// member, as in RFC 7396. Bytes of the key that are not valid UTF-8 are replaced by U+FFFD.
func (v Value) With(key string, val Value) Value {
	key = validUTF8(key)
	if v.kind != KindObject || v.kids == nil {
		return UncheckedObject([]Member{{key, val}})
	}
	i, found := v.search(key)
	old := v.kids.members
	if found {
		members := slices.Clone(old)
		members[i].Value = val
		return UncheckedObject(members)
	}
	members := make([]Member, 0, len(old)+1)
	members = append(members, old[:i]...)
	members = append(members, Member{key, val})
	return UncheckedObject(append(members, old[i:]...))
}

// Without returns v without the member of this key; v itself does not change. A value that has no such member, or is no
// object, is returned as it is.
func (v Value) Without(key string) Value {
	if v.kind != KindObject || v.kids == nil {
		return v
	}
	i, found := v.search(key)
	if !found {
		return v
	}
	members := make([]Member, 0, len(v.kids.members)-1)
	members = append(members, v.kids.members[:i]...)
	return UncheckedObject(append(members, v.kids.members[i+1:]...))
}
