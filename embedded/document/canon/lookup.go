package canon

import "bytes"

// Skip returns the offset behind the value at off, whole subtree included. It follows heads only and is meant for bytes
// that are known to be canonical; on other bytes it returns an *Error or an offset within b, but does not check them.
func Skip(b []byte, off int) (next int, err error) {
	for left := uint64(1); left > 0; left-- {
		major, arg, after, err := ParseHead(b, off)
		if err != nil {
			return 0, err
		}
		room := uint64(len(b) - after)
		switch major {
		case MajorBytes, MajorText:
			if arg > room {
				return 0, failf(off, "string of %d bytes where %d are left", arg, room)
			}
			after += int(arg)
		case MajorArray, MajorMap:
			if arg > room {
				return 0, failf(off, "container of %d children in %d bytes", arg, room)
			}
			if major == MajorMap {
				arg *= 2
			}
			left += arg
		case MajorTag:
			left++
		}
		if left > uint64(len(b))+1 {
			return 0, fail(off, "more values announced than bytes are left")
		}
		off = after
	}
	return off, nil
}

// Lookup returns the bytes of the value at path p in the canonical value b, as a part of b; ok is false if there is none.
// On bytes that are not canonical the answer means nothing, but there is one.
func Lookup(b []byte, p Path) (subtree []byte, ok bool) {
	off := 0
	for rest := p; len(rest) > 0; {
		major, arg, next, err := ParseHead(rest, 0)
		if err != nil {
			return nil, false
		}
		switch major {
		case MajorUint:
			off, ok = elementAt(b, off, arg)
		case MajorText:
			if arg > uint64(len(rest)-next) {
				return nil, false
			}
			next += int(arg)
			off, ok = memberAt(b, off, rest[:next])
		default:
			return nil, false
		}
		if !ok {
			return nil, false
		}
		rest = rest[next:]
	}
	end, err := Skip(b, off)
	if err != nil {
		return nil, false
	}
	return b[off:end:end], true
}

// A Resolution is what a JSON Pointer leads to in a document.
type Resolution struct {
	// Path of the deepest node that exists on the way; the node the pointer names if Missing is empty.
	Path Path
	// Value is that node's bytes, subtree included, as a part of the document.
	Value []byte
	// Missing are the reference tokens that lead nowhere from there.
	Missing []string
}

// Exists reports whether the pointer names a value of the document.
func (r Resolution) Exists() bool { return len(r.Missing) == 0 }

// Resolve follows reference tokens (see ParsePointer) through the canonical value b. In a map a token is a key; in an
// array it is an index if ParseIndex takes it, and leads nowhere else; in a scalar it leads nowhere. Errors are for bytes
// that are not canonical, as far as the way leads through them.
func Resolve(b []byte, tokens []string) (Resolution, error) {
	var r Resolution
	off, path := 0, Path{}
	for i, t := range tokens {
		child, step, ok := follow(b, off, t)
		if !ok {
			r.Missing = tokens[i:]
			break
		}
		off, path = child, step.Append(path)
	}
	end, err := Skip(b, off)
	if err != nil {
		return Resolution{}, err
	}
	r.Path, r.Value = path, b[off:end:end]
	return r, nil
}

// ResolvePointer follows a JSON Pointer through the canonical value b. If exists is true, path and subtree are those of
// the value it names; if not, those of the deepest value on the way (see Resolve). Errors wrap ErrPointer or are those of
// Resolve.
func ResolvePointer(b []byte, pointer string) (path Path, subtree []byte, exists bool, err error) {
	tokens, err := ParsePointer(pointer)
	if err != nil {
		return nil, nil, false, err
	}
	r, err := Resolve(b, tokens)
	if err != nil {
		return nil, nil, false, err
	}
	return r.Path, r.Value, r.Exists(), nil
}

// follow finds the child of the container at off that a reference token names.
func follow(b []byte, off int, token string) (child int, step Token, ok bool) {
	if off >= len(b) {
		return 0, Token{}, false
	}
	switch b[off] >> 5 {
	case MajorMap:
		step = KeyToken(token)
		child, ok = memberAt(b, off, step.Append(nil))
	case MajorArray:
		var i uint64
		if i, ok = ParseIndex(token); ok {
			step = IndexToken(i)
			child, ok = elementAt(b, off, i)
		}
	}
	return child, step, ok
}

// memberAt returns the offset of the value under an encoded key in the map at off.
func memberAt(b []byte, off int, key []byte) (int, bool) {
	major, count, at, err := ParseHead(b, off)
	if err != nil || major != MajorMap {
		return 0, false
	}
	for ; count > 0; count-- {
		after, err := Skip(b, at)
		if err != nil {
			return 0, false
		}
		switch bytes.Compare(b[at:after], key) {
		case 0:
			return after, true
		case 1:
			return 0, false // keys are sorted: it does not come any more
		}
		if at, err = Skip(b, after); err != nil {
			return 0, false
		}
	}
	return 0, false
}

// elementAt returns the offset of element i of the array at off.
func elementAt(b []byte, off int, i uint64) (int, bool) {
	major, count, at, err := ParseHead(b, off)
	if err != nil || major != MajorArray || i >= count {
		return 0, false
	}
	for ; i > 0; i-- {
		if at, err = Skip(b, at); err != nil {
			return 0, false
		}
	}
	return at, true
}
