package proof

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// cborNull is the one simple value that sections use.
const cborNull = 0xF6

func appendArray(dst []byte, n int) []byte {
	return canon.AppendHead(dst, canon.MajorArray, uint64(n))
}

// appendHashes appends a list of hashes as one byte string.
func appendHashes(dst []byte, hashes []Hash) []byte {
	dst = canon.AppendHead(dst, canon.MajorBytes, uint64(len(hashes))*HashSize)
	for i := range hashes {
		dst = append(dst, hashes[i][:]...)
	}
	return dst
}

// reader consumes canonical CBOR from the front of b. The first failure sticks;
// every later read returns zero values, so callers check err once at the end.
// What it returns never aliases b.
type reader struct {
	b    []byte
	off  int
	err  error
	what string // named in errors: the thing being parsed
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d: %s", ErrMalformed, r.what, r.off, fmt.Sprintf(format, args...))
	}
}

// head reads the head of the next item and requires its shortest form.
func (r *reader) head() (major byte, n uint64) {
	if r.err != nil {
		return 0, 0
	}
	major, n, next, err := canon.ParseHead(r.b, r.off)
	if err != nil {
		r.err = fmt.Errorf("%w: %s: %w", ErrMalformed, r.what, err)
		return 0, 0
	}
	r.off = next
	return major, n
}

func (r *reader) expect(major byte, name string) uint64 {
	start := r.off
	got, n := r.head()
	if r.err == nil && got != major {
		r.off = start
		r.fail("want %s", name)
		return 0
	}
	return n
}

func (r *reader) uint() uint64 { return r.expect(canon.MajorUint, "an unsigned integer") }

// uintMax reads an unsigned integer of at most max.
func (r *reader) uintMax(max uint64, name string) uint64 {
	n := r.uint()
	if r.err == nil && n > max {
		r.fail("%s is %d, the limit is %d", name, n, max)
		return 0
	}
	return n
}

func (r *reader) int() int64 {
	major, n := r.head()
	switch {
	case r.err != nil:
	case n > math.MaxInt64 || major > canon.MajorNegInt:
		r.fail("want a 64-bit integer")
	case major == canon.MajorNegInt:
		return -1 - int64(n)
	default:
		return int64(n)
	}
	return 0
}

// array reads an array head whose length must be want.
func (r *reader) array(want int, name string) {
	if n := r.expect(canon.MajorArray, "an array"); r.err == nil && n != uint64(want) {
		r.fail("%s has %d elements, want %d", name, n, want)
	}
}

// list reads the head of an array of unknown length. Every element takes at
// least one byte, which bounds what a caller may allocate.
func (r *reader) list(name string) int {
	n := r.expect(canon.MajorArray, "an array")
	if r.err == nil && n > uint64(len(r.b)-r.off) {
		r.fail("%s has %d elements in %d bytes", name, n, len(r.b)-r.off)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// take returns the next n bytes without copying.
func (r *reader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.b)-r.off) {
		r.fail("unexpected end: %d bytes wanted, %d left", n, len(r.b)-r.off)
		return nil
	}
	out := r.b[r.off : r.off+int(n)]
	r.off += int(n)
	return out
}

// bytes reads a byte string and copies it; it is never nil without an error.
func (r *reader) bytes() []byte {
	raw := r.take(r.expect(canon.MajorBytes, "a byte string"))
	if r.err != nil {
		return nil
	}
	return append(make([]byte, 0, len(raw)), raw...)
}

func (r *reader) text() string {
	raw := r.take(r.expect(canon.MajorText, "a text string"))
	if r.err == nil && !utf8.Valid(raw) {
		r.fail("text is not valid UTF-8")
	}
	if r.err != nil {
		return ""
	}
	return string(raw)
}

// isNull consumes a null if there is one.
func (r *reader) isNull() bool {
	if r.err == nil && r.off < len(r.b) && r.b[r.off] == cborNull {
		r.off++
		return true
	}
	return false
}

func (r *reader) hash() (h Hash) {
	r.fixed(h[:])
	return h
}

// fixed reads a byte string of exactly the length of dst into dst.
func (r *reader) fixed(dst []byte) {
	raw := r.take(r.expect(canon.MajorBytes, "a byte string"))
	if r.err == nil && len(raw) != len(dst) {
		r.fail("byte string of %d bytes, want %d", len(raw), len(dst))
	}
	if r.err == nil {
		copy(dst, raw)
	}
}

// hashes reads a byte string that is a list of hashes.
func (r *reader) hashes() []Hash {
	raw := r.take(r.expect(canon.MajorBytes, "a byte string"))
	if r.err != nil {
		return nil
	}
	out, ok := splitHashes(raw)
	if !ok {
		r.fail("%d bytes are not a list of %d-byte hashes", len(raw), HashSize)
		return nil
	}
	return out
}

// done requires that everything was read.
func (r *reader) done() error {
	if r.err == nil && r.off != len(r.b) {
		r.fail("%d surplus bytes", len(r.b)-r.off)
	}
	return r.err
}

// splitHashes cuts raw into hashes; no bytes are no hashes (nil).
func splitHashes(raw []byte) ([]Hash, bool) {
	if len(raw)%HashSize != 0 {
		return nil, false
	}
	var out []Hash
	for ; len(raw) > 0; raw = raw[HashSize:] {
		out = append(out, Hash(raw[:HashSize]))
	}
	return out, true
}

// salts reads a byte string that is a list of salts.
func (r *reader) salts() []ptree.Salt {
	raw := r.take(r.expect(canon.MajorBytes, "a byte string"))
	if r.err == nil && len(raw)%ptree.SaltSize != 0 {
		r.fail("%d bytes are not a list of %d-byte salts", len(raw), ptree.SaltSize)
	}
	if r.err != nil {
		return nil
	}
	return splitSalts(raw)
}

// splitSalts cuts raw, whose length must be a multiple of the salt size.
func splitSalts(raw []byte) []ptree.Salt {
	var out []ptree.Salt
	for ; len(raw) >= ptree.SaltSize; raw = raw[ptree.SaltSize:] {
		out = append(out, ptree.Salt(raw[:ptree.SaltSize]))
	}
	return out
}
