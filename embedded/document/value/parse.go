package value

import (
	"slices"
	"strings"
	"sync"
)

// maxNesting bounds the brackets of a JSON text inside one another. Every level of a value may be written as two (an
// object inside $object), and a scalar inside them as two more.
const maxNesting = 2*MaxDepth + 2

// shareLimit is the size of text up to which the strings of a parsed value are parts of one copy of it. Above it each is
// a copy of its own, so that a short string does not keep a large document in memory.
const shareLimit = 64 << 10

// ParseJSON reads one value from a JSON text (RFC 8259) with Extended JSON, as the package comment lays down. White space
// around the value is skipped; anything else behind it is refused. The value does not refer to data. Every error is a
// *SyntaxError.
func ParseJSON(data []byte) (Value, error) { return ParseJSONString(string(data)) }

// ParseJSONString is ParseJSON for a string. The value may keep the text in memory.
func ParseJSONString(text string) (Value, error) {
	p := parsers.Get().(*parser)
	p.text, p.pos = text, 0
	v, err := p.document()
	p.text = ""
	if cap(p.members)+cap(p.elems) <= maxScratch {
		parsers.Put(p)
	}
	return v, err
}

// parsers are kept for their scratch space; one that grew beyond maxScratch is dropped.
var parsers = sync.Pool{New: func() any { return new(parser) }}

const maxScratch = 4096

// parser reads one text. The children of all open containers stand on stacks, so that each container is allocated once,
// in its size. What leaves a stack is cleared, so that a parser at rest holds no document.
type parser struct {
	text    string
	pos     int
	members []Member
	keyAt   []int // where the key of each of members begins
	elems   []Value
}

// place is where a value stands: depth counts containers of the value around it, nesting brackets of the text. In a raw
// place an object is taken as it is written, for it stands inside $object.
type place struct {
	depth, nesting int
	raw            bool
}

func (p *parser) document() (Value, error) {
	if strings.HasPrefix(p.text, "\uFEFF") {
		return Value{}, p.fail(0, nil, "byte order mark; remove the three bytes EF BB BF at the start")
	}
	p.space()
	v, err := p.value(place{})
	if err != nil {
		p.members, p.keyAt, p.elems = nil, nil, nil
		return Value{}, err
	}
	p.space()
	if p.pos < len(p.text) {
		return Value{}, p.fail(p.pos, nil, p.found()+" behind the end of the value; give one value")
	}
	return v, nil
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\n', '\t', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek skips white space and returns the next byte, 0 at the end (a NUL in the text is no syntax either).
func (p *parser) peek() byte {
	if p.pos < len(p.text) && p.text[p.pos] > ' ' {
		return p.text[p.pos]
	}
	p.space()
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) value(at place) (Value, error) {
	switch c := p.peek(); c {
	case '"':
		s, err := p.string()
		return UncheckedString(s), err
	case '{':
		return p.object(at)
	case '[':
		return p.array(at)
	case 't':
		return Bool(true), p.word("true")
	case 'f':
		return Bool(false), p.word("false")
	case 'n':
		return Null(), p.word("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.number()
	}
	return Value{}, p.notValue()
}

func (p *parser) word(w string) error {
	if !strings.HasPrefix(p.text[p.pos:], w) {
		return p.notValue()
	}
	p.pos += len(w)
	return nil
}

func (p *parser) array(at place) (Value, error) {
	start := p.pos
	if at.depth >= MaxDepth || at.nesting >= maxNesting {
		return Value{}, p.tooDeep(start)
	}
	p.pos++
	if p.peek() == ']' {
		p.pos++
		return UncheckedArray(nil), nil
	}
	base := len(p.elems)
	for {
		v, err := p.value(place{depth: at.depth + 1, nesting: at.nesting + 1})
		if err != nil {
			return Value{}, err
		}
		p.elems = append(p.elems, v)
		c := p.peek()
		if c == ',' {
			p.pos++
			continue
		}
		if c != ']' {
			return Value{}, p.fail(p.pos, nil, p.found()+" in an array; expected a comma or ]")
		}
		p.pos++
		own := slices.Clone(p.elems[base:])
		clear(p.elems[base:])
		p.elems = p.elems[:base]
		return UncheckedArray(own), nil
	}
}

func (p *parser) object(at place) (Value, error) {
	start := p.pos
	if at.nesting >= maxNesting {
		return Value{}, p.tooDeep(start)
	}
	p.pos++
	inside := place{depth: at.depth + 1, nesting: at.nesting + 1}
	base, dollar := len(p.members), false
	for first := true; ; first = false {
		c := p.peek()
		if c == '}' && first {
			if at.depth >= MaxDepth {
				return Value{}, p.tooDeep(start)
			}
			p.pos++
			return UncheckedObject(nil), nil
		}
		if c != '"' {
			return Value{}, p.fail(p.pos, nil, p.found()+" where a key must begin; keys are strings in double quotes")
		}
		keyAt := p.pos
		key, err := p.string()
		if err != nil {
			return Value{}, err
		}
		if p.peek() != ':' {
			return Value{}, p.fail(p.pos, nil, p.found()+" behind the key "+quoteShort(key)+"; expected a colon")
		}
		p.pos++
		inside.raw = false
		if !at.raw && len(key) > 0 && key[0] == '$' {
			dollar = true
			if isReserved(key) {
				// Levels that are only notation do not count; finish counts those of an object that stands for itself.
				if first {
					inside.depth = at.depth
					if key == keyBinary {
						inside.depth--
					}
				}
				inside.raw = key == keyObject
			}
		}
		if first && inside.depth > MaxDepth {
			return Value{}, p.tooDeep(start)
		}
		v, err := p.value(inside)
		if err != nil {
			return Value{}, err
		}
		p.members = append(p.members, Member{key, v})
		p.keyAt = append(p.keyAt, keyAt)
		if c = p.peek(); c == ',' {
			p.pos++
			continue
		}
		if c != '}' {
			return Value{}, p.fail(p.pos, nil, p.found()+" in an object; expected a comma or }")
		}
		p.pos++
		return p.finish(start, base, at, dollar)
	}
}

// finish takes the members of an object from the stack and makes its value. dollar tells that a key begins with $ and
// the object is to be interpreted.
func (p *parser) finish(start, base int, at place, dollar bool) (Value, error) {
	sorted, dup, found := sortedMembers(p.members[base:])
	if found {
		return Value{}, p.duplicate(p.keyAt[base:], dup)
	}
	clear(p.members[base:])
	p.members, p.keyAt = p.members[:base], p.keyAt[:base]
	v := UncheckedObject(sorted)
	if !dollar {
		return v, nil
	}
	v, err := interpret(v)
	if err != nil {
		return Value{}, p.fail(start, err, err.Error())
	}
	if at.depth+v.Depth() > MaxDepth {
		return Value{}, p.tooDeep(start)
	}
	return v, nil
}

// number reads an integer of up to 18 digits at once; the rest goes the long way.
func (p *parser) number() (Value, error) {
	start, i, neg := p.pos, p.pos, false
	if p.text[i] == '-' {
		neg = true
		i++
	}
	digits := i
	var n int64
	for i < len(p.text) && p.text[i]-'0' <= 9 && i-digits < 18 {
		n = n*10 + int64(p.text[i]-'0')
		i++
	}
	if i > digits && (i == len(p.text) || endsNumber[p.text[i]]) && (p.text[digits] != '0' || i == digits+1 && !neg) {
		p.pos = i
		if neg {
			n = -n
		}
		return Int(n), nil
	}
	lit, size := scanNumber(p.text[start:])
	if end := start + size; size == 0 || end < len(p.text) && !endsNumber[p.text[end]] {
		return Value{}, p.notNumber(start, end)
	}
	p.pos += size
	v, err := lit.number()
	if err != nil {
		return Value{}, p.fail(start, err, err.Error())
	}
	return v, nil
}

// endsNumber are the bytes that may stand behind a number.
var endsNumber = [256]bool{' ': true, '\n': true, '\t': true, '\r': true, ',': true, ']': true, '}': true}
