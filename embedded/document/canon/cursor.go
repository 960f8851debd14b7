package canon

import (
	"github.com/immudoc/immudoc/embedded/document/value"
)

// A Cursor stands on one value inside canonical bytes and reads no more of them than it is asked for. It is meant for
// bytes that were checked when they were stored; on others its methods return errors, or answers that mean nothing.
// The zero Cursor stands on nothing and must not be used.
type Cursor struct {
	b   []byte
	off int
}

// CursorOn returns a cursor on the root of the canonical value b.
func CursorOn(b []byte) Cursor { return Cursor{b: b} }

// Head returns the kind of the value and, for a container, the number of its elements or members.
func (c Cursor) Head() (kind value.Kind, children int, err error) {
	if c.off < len(c.b) { // containers and strings without looking at what they hold
		switch major, arg, next, err := ParseHead(c.b, c.off); {
		case err != nil:
			return 0, 0, err
		case major == MajorText:
			return value.KindString, 0, nil
		case major == MajorArray && arg <= uint64(len(c.b)-next):
			return value.KindArray, int(arg), nil
		case major == MajorMap && arg <= uint64(len(c.b)-next)/2:
			return value.KindObject, int(arg), nil
		}
	}
	var it item
	if err := readItem(c.b, c.off, &it); err != nil {
		return 0, 0, err
	}
	return it.kind, 0, nil
}

// Member returns a cursor on the member of an object with this key; ok is false if there is none.
func (c Cursor) Member(key string) (member Cursor, ok bool) {
	var scratch [64]byte
	off, ok := memberAt(c.b, c.off, AppendText(scratch[:0], key))
	return Cursor{c.b, off}, ok
}

// Element returns a cursor on element i of an array; ok is false if there is none.
func (c Cursor) Element(i int) (elem Cursor, ok bool) {
	if i < 0 {
		return Cursor{}, false
	}
	off, ok := elementAt(c.b, c.off, uint64(i))
	return Cursor{c.b, off}, ok
}

// Elements calls visit for each element of an array until it returns false; for any other value it does nothing.
func (c Cursor) Elements(visit func(Cursor) bool) error {
	major, left, off, err := ParseHead(c.b, c.off)
	if err != nil || major != MajorArray {
		return err
	}
	for ; left > 0; left-- {
		if !visit(Cursor{c.b, off}) {
			return nil
		}
		if off, err = Skip(c.b, off); err != nil {
			return err
		}
	}
	return nil
}

// Bytes returns the bytes of the value, subtree included, as a part of the input.
func (c Cursor) Bytes() ([]byte, error) {
	end, err := Skip(c.b, c.off)
	if err != nil {
		return nil, err
	}
	return c.b[c.off:end:end], nil
}

// Decode returns the value, subtree included.
func (c Cursor) Decode() (value.Value, error) {
	b, err := c.Bytes()
	if err != nil {
		return value.Value{}, err
	}
	return Decode(b)
}
