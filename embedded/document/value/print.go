package value

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"time"
)

// AppendJSON appends v as JSON without white space. ParseJSON returns an equal value for every v of a depth up to
// MaxDepth (Invariant 4). Members stand in canonical order.
func (v Value) AppendJSON(dst []byte) []byte {
	p := printer{dst: dst}
	p.value(v)
	return p.dst
}

// AppendJSONFirst is AppendJSON with the member key of an object, if it has one, in front of the others.
func (v Value) AppendJSONFirst(dst []byte, key string) []byte {
	first, found := v.Get(key)
	if !found {
		return v.AppendJSON(dst)
	}
	escape := needsEscape(v)
	if escape {
		dst = append(dst, `{"`+keyObject+`":`...)
	}
	dst = first.AppendJSON(append(appendString(append(dst, '{'), key), ':'))
	for k, member := range v.Members() {
		if k != key {
			dst = member.AppendJSON(append(appendString(append(dst, ','), k), ':'))
		}
	}
	dst = append(dst, '}')
	if escape {
		dst = append(dst, '}')
	}
	return dst
}

// AppendJSONIndent appends v as JSON for people: one member or element a line, each level indented by indent, which
// consists of white space. Scalars in Extended JSON stay on one line.
func (v Value) AppendJSONIndent(dst []byte, indent string) []byte {
	p := printer{dst: dst, indent: indent, lines: true}
	p.value(v)
	return p.dst
}

// MarshalJSON is AppendJSON for encoding/json.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// UnmarshalJSON is ParseJSON for encoding/json. It replaces *v; other copies of the old value do not change.
func (v *Value) UnmarshalJSON(data []byte) error {
	parsed, err := ParseJSON(data)
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

// String returns v as JSON without white space.
func (v Value) String() string { return string(v.AppendJSON(nil)) }

type printer struct {
	dst    []byte
	indent string
	level  int
	lines  bool
}

func (p *printer) value(v Value) {
	switch v.kind {
	case KindObject:
		p.object(v)
	case KindArray:
		p.array(v)
	default:
		p.dst = v.appendScalar(p.dst)
	}
}

func (p *printer) array(v Value) {
	p.dst = append(p.dst, '[')
	if v.kids != nil {
		p.level++
		for i := range v.kids.elems {
			p.separate(i)
			p.value(v.kids.elems[i])
		}
		p.level--
		p.newline()
	}
	p.dst = append(p.dst, ']')
}

func (p *printer) object(v Value) {
	if needsEscape(v) {
		p.dst = append(p.dst, `{"`+keyObject+`":`...)
		p.members(v)
		p.dst = append(p.dst, '}')
		return
	}
	p.members(v)
}

func (p *printer) members(v Value) {
	p.dst = append(p.dst, '{')
	if v.kids != nil {
		p.level++
		for i := range v.kids.members {
			p.separate(i)
			m := &v.kids.members[i]
			p.dst = append(appendString(p.dst, m.Key), ':')
			if p.lines {
				p.dst = append(p.dst, ' ')
			}
			p.value(m.Value)
		}
		p.level--
		p.newline()
	}
	p.dst = append(p.dst, '}')
}

// separate stands before child i.
func (p *printer) separate(i int) {
	if i > 0 {
		p.dst = append(p.dst, ',')
	}
	p.newline()
}

func (p *printer) newline() {
	if !p.lines {
		return
	}
	p.dst = append(p.dst, '\n')
	for range p.level {
		p.dst = append(p.dst, p.indent...)
	}
}

func (v Value) appendScalar(dst []byte) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(dst, v.num == 1)
	case KindInt:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case KindUint:
		return strconv.AppendUint(dst, v.num, 10)
	case KindFloat:
		return appendFloat(dst, math.Float64frombits(v.num))
	case KindDecimal:
		dst = append(dst, `{"`+keyNumberDecimal+`":"`...)
		return append(v.appendDecimal(dst), `"}`...)
	case KindString:
		return appendString(dst, v.str)
	case KindBytes:
		dst = append(dst, `{"`+keyBinary+`":{"base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(v.str))
		return append(dst, `","subType":"00"}}`...)
	case KindUUID:
		dst = append(dst, `{"`+keyUUID+`":"`...)
		return append(appendUUID(dst, v.str), `"}`...)
	case KindTimestamp:
		return v.appendDate(dst)
	}
	return append(dst, "null"...)
}

// appendFloat writes the shortest digits that name the float, in a form that is read as a float again: with a point or an
// exponent. Plain between 1e-6 and 1e16, scientific outside.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsInf(f, 0) {
		dst = append(dst, `{"`+keyNumberDouble+`":"`...)
		if f < 0 {
			dst = append(dst, '-')
		}
		return append(dst, `Infinity"}`...)
	}
	start := len(dst)
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e16) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-07 becomes e-7
			dst = append(dst[:n-2], dst[n-1])
		}
		return dst
	}
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

func appendUUID(dst []byte, u string) []byte {
	for i, part := range [...]string{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte(part))
	}
	return dst
}

func (v Value) appendDate(dst []byte) []byte {
	sec, nsec := int64(v.num), int64(v.aux)
	dst = append(dst, `{"`+keyDate+`":`...)
	if sec >= minPlainSecond && sec <= maxPlainSecond {
		dst = append(dst, '"')
		dst = time.Unix(sec, nsec).UTC().AppendFormat(dst, "2006-01-02T15:04:05.999999999Z")
		return append(dst, `"}`...)
	}
	ms, _ := millis(sec, nsec) // outside these years there are only whole milliseconds
	dst = append(dst, `{"`+keyNumberLong+`":"`...)
	return append(strconv.AppendInt(dst, ms, 10), `"}}`...)
}

const hexDigits = "0123456789abcdef"

// appendString quotes a string. Only what JSON demands is escaped.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}
