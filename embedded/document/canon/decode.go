package canon

import (
	"math"
	"math/big"
	"strconv"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// shareLimit is the size up to which the strings of a decoded value are parts of one copy of the input. Above it each is
// a copy of its own, so that a short string does not keep a large document in memory.
const shareLimit = 64 << 10

// startCapacity bounds the room made for the elements that a head announces before they are seen.
const startCapacity = 256

// Decode reads the canonical form of one value. It takes exactly the bytes that Append writes for values of a depth up
// to value.MaxDepth and refuses everything else, bytes behind the value included, with an *Error. The value does not
// refer to b.
func Decode(b []byte) (value.Value, error) {
	d := decoder{b: b}
	if len(b) <= shareLimit {
		d.text = string(b)
	}
	v, next, err := d.value(0, 0)
	if err != nil {
		return value.Value{}, err
	}
	if next != len(b) {
		return value.Value{}, failf(next, "%d bytes behind the value", len(b)-next)
	}
	return v, nil
}

type decoder struct {
	b    []byte
	text string // b, if it is small
}

func (d *decoder) string(lo, hi int) string {
	if d.text != "" {
		return d.text[lo:hi]
	}
	return string(d.b[lo:hi])
}

// value decodes the value at off, which lies inside depth containers.
func (d *decoder) value(off, depth int) (value.Value, int, error) {
	var it item
	if err := readItem(d.b, off, &it); err != nil {
		return value.Value{}, 0, err
	}
	switch it.kind {
	case value.KindArray:
		return d.array(off, depth, &it)
	case value.KindObject:
		return d.object(off, depth, &it)
	}
	v, err := d.scalar(off, &it)
	return v, it.next, err
}

func (d *decoder) scalar(off int, it *item) (v value.Value, err error) {
	switch it.kind {
	case value.KindBool:
		return value.Bool(it.num == 1), nil
	case value.KindInt:
		return value.Int(int64(it.num)), nil
	case value.KindUint:
		return value.Uint(it.num), nil
	case value.KindFloat:
		v, err = value.Float(math.Float64frombits(it.num))
	case value.KindDecimal:
		v, err = value.DecimalFromDigits(it.neg, mantissaDigits(d.b[it.lo:it.hi], it.num, it.neg), int64(it.aux))
	case value.KindString:
		return value.UncheckedString(d.string(it.lo, it.hi)), nil
	case value.KindBytes:
		return value.Bytes(d.b[it.lo:it.hi]), nil
	case value.KindUUID:
		return value.UUID([16]byte(d.b[it.lo:it.hi])), nil
	case value.KindTimestamp:
		v, err = value.TimestampUnix(int64(it.num), int64(it.aux))
	default:
		return value.Null(), nil
	}
	if err != nil { // readItem holds the same limits
		return value.Value{}, failf(off, "%v", err)
	}
	return v, nil
}

// mantissaDigits returns the decimal digits of a mantissa: of bignum, or if that is empty of the plain
// argument arg. A negative mantissa is -1 minus the number.
func mantissaDigits(bignum []byte, arg uint64, neg bool) string {
	if len(bignum) == 0 && (!neg || arg < math.MaxUint64) {
		if neg {
			arg++
		}
		return strconv.FormatUint(arg, 10)
	}
	n := new(big.Int).SetUint64(arg)
	if len(bignum) > 0 {
		n.SetBytes(bignum)
	}
	if neg {
		n.Add(n, big.NewInt(1))
	}
	return n.Text(10)
}

func (d *decoder) array(off, depth int, it *item) (value.Value, int, error) {
	if depth >= value.MaxDepth {
		return value.Value{}, 0, tooDeep(off)
	}
	elems := make([]value.Value, 0, min(it.num, startCapacity))
	next := it.next
	for range it.num {
		e, end, err := d.value(next, depth+1)
		if err != nil {
			return value.Value{}, 0, err
		}
		elems = append(elems, e)
		next = end
	}
	return value.UncheckedArray(elems), next, nil
}

func (d *decoder) object(off, depth int, it *item) (value.Value, int, error) {
	if depth >= value.MaxDepth {
		return value.Value{}, 0, tooDeep(off)
	}
	members := make([]value.Member, 0, min(it.num, startCapacity))
	next := it.next
	var prev []byte
	for range it.num {
		token, text, at, err := readKey(d.b, next, prev)
		if err != nil {
			return value.Value{}, 0, err
		}
		v, end, err := d.value(at, depth+1)
		if err != nil {
			return value.Value{}, 0, err
		}
		members = append(members, value.Member{Key: d.string(text, at), Value: v})
		prev, next = token, end
	}
	return value.UncheckedObject(members), next, nil
}

func tooDeep(off int) error {
	return failf(off, "more than %d arrays and maps inside one another", value.MaxDepth)
}
