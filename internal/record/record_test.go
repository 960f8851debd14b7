package record

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

var bodyA1 = []byte{0xA1, 0x61, 'a', 0x01} // {"a":1}

func sample(t testing.TB) *Record {
	t.Helper()
	r := &Record{Operation: proof.Insert, Revision: 1, Author: "jo", Body: PlainBody(bodyA1)}
	for i := range r.Seed {
		r.Seed[i] = byte(i)
	}
	var err error
	r.Root, r.Leaves, err = ptree.Root(bodyA1, r.Seed, ptree.ModeProperty)
	require.NoError(t, err)
	return r
}

func tombstone(t testing.TB) *Record {
	t.Helper()
	r := sample(t)
	r.Operation, r.Mode, r.Revision, r.Slot, r.Body = proof.Delete, ptree.ModeDocument, 300, 17, Body{}
	r.Previous = proof.Hash{1, 2, 3}
	return r
}

func compressed(t testing.TB) *Record {
	t.Helper()
	r := sample(t)
	r.Operation, r.Revision = proof.Replace, 2
	r.Body = CompressedBody(long())
	require.Equal(t, bodyZstd, r.Body.encoding)
	return r
}

func long() []byte {
	v, _ := value.Object([]value.Member{{Key: "text", Value: value.String(strings.Repeat("lorem ipsum ", 400))}})
	return canon.Encode(v)
}

// TestExample holds the bytes of the package comment's example.
func TestExample(t *testing.T) {
	r := sample(t)
	root, seed := hex.EncodeToString(r.Root[:]), hex.EncodeToString(r.Seed[:])
	require.Equal(t, "01010001"+"010002"+seed+root+"026a6f"+"a1616101", hex.EncodeToString(r.Encode()))
	require.Equal(t, uint64(2), r.Leaves)
}

func TestTombstoneBytes(t *testing.T) {
	r := tombstone(t)
	want := "01040100" + "ac02" + "11" + "02" + hex.EncodeToString(r.Seed[:]) + hex.EncodeToString(r.Root[:]) +
		"010203" + strings.Repeat("00", 29) + "026a6f"
	require.Equal(t, want, hex.EncodeToString(r.Encode()))
}

func TestRoundTrip(t *testing.T) {
	for name, r := range map[string]*Record{
		"plain": sample(t), "tombstone": tombstone(t), "compressed": compressed(t),
		"largest numbers": {
			Operation: proof.Update, Revision: math.MaxUint64, Slot: math.MaxUint16, Leaves: math.MaxUint64,
			Author: strings.Repeat("ä", MaxAuthor/2), Body: PlainBody(bodyA1),
		},
		"no author": {Operation: proof.Insert, Revision: 1, Leaves: 1, Body: PlainBody([]byte{0xA0})},
	} {
		b := r.Encode()
		require.LessOrEqual(t, len(b), r.Size(), name)
		back, err := Decode(b)
		require.NoError(t, err, name)
		require.Equal(t, r, back, name)
		require.Equal(t, b, back.Encode(), name)
		want, err := r.Canonical()
		require.NoError(t, err)
		got, err := back.Canonical()
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
	plain, err := compressed(t).Canonical()
	require.NoError(t, err)
	require.Equal(t, long(), plain)
	require.True(t, tombstone(t).IsTombstone())
	back, err := Decode(tombstone(t).Encode())
	require.NoError(t, err)
	plain, err = back.Canonical()
	require.NoError(t, err)
	require.Nil(t, plain, "evidence tells nil from an empty body")
}

func TestCompressionIsAChoice(t *testing.T) {
	noise := make([]byte, 4096)
	_, _ = rand.Read(noise)
	for name, body := range map[string][]byte{
		"short": bytes.Repeat([]byte{'a'}, CompressAbove), "noise": noise,
	} {
		require.Equal(t, PlainBody(body), CompressedBody(body), name)
	}
	require.Equal(t, bodyZstd, CompressedBody(bytes.Repeat([]byte{'a'}, CompressAbove+1)).encoding)
}

func TestManifest(t *testing.T) {
	id := canon.Encode(value.String("x"))
	m := sample(t).Manifest(7, "demo", id)
	require.Nil(t, m.Previous)
	parsed, err := proof.ParseManifest(m.Encode())
	require.NoError(t, err)
	require.Equal(t, m, parsed)

	r := tombstone(t)
	r.Leaves = 1
	m = r.Manifest(7, "demo", id)
	require.Equal(t, r.Previous, *m.Previous)
	r.Previous[0]++ // the manifest has a copy
	require.NotEqual(t, r.Previous, *m.Previous)
	require.Equal(t, proof.AuthorCommitment(r.Seed, "jo"), m.Author)
}

// TestEveryTruncationIsRefused: every record cut short within its header is
// refused; one cut within its body is another record with another body, which
// the ledger's own hash of the value excludes.
func TestEveryTruncationIsRefused(t *testing.T) {
	for _, r := range []*Record{sample(t), tombstone(t), compressed(t)} {
		b := r.Encode()
		header := len(b) - len(r.Body.bytes)
		for n := range header {
			_, err := Decode(b[:n])
			require.ErrorIs(t, err, ErrCorrupted, "%d of %d bytes", n, len(b))
		}
		if !r.IsTombstone() {
			_, err := Decode(b[:header])
			require.ErrorIs(t, err, ErrCorrupted)
		} else {
			_, err := Decode(append(b, 0xA0))
			require.ErrorIs(t, err, ErrCorrupted)
		}
	}
}

// TestEveryFieldIsChecked changes each byte of the headers to every value: what
// is still a record is another one, never the same.
func TestEveryFieldIsChecked(t *testing.T) {
	for _, r := range []*Record{sample(t), tombstone(t), compressed(t)} {
		good := r.Encode()
		for i := range len(good) - len(r.Body.bytes) {
			for v := range 256 {
				if byte(v) == good[i] {
					continue
				}
				b := bytes.Clone(good)
				b[i] = byte(v)
				back, err := Decode(b)
				if i == 0 && v > Format {
					require.ErrorIs(t, err, ErrNewerFormat)
					require.ErrorContains(t, err, "this version reads up to 1")
					continue
				}
				if err != nil {
					require.ErrorIs(t, err, ErrCorrupted, "byte %d = %d", i, v)
					continue
				}
				require.NotEqual(t, r, back, "byte %d = %d", i, v)
				require.Equal(t, b, back.Encode(), "byte %d = %d", i, v)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"operation 0":               func(r *Record) { r.Operation = 0 },
		"operation 5":               func(r *Record) { r.Operation = 5 },
		"mode 2":                    func(r *Record) { r.Mode = 2 },
		"revision 0":                func(r *Record) { r.Revision = 0 },
		"slot 65536":                func(r *Record) { r.Slot = math.MaxUint16 + 1 },
		"author not UTF-8":          func(r *Record) { r.Author = "\xFF" },
		"author too long":           func(r *Record) { r.Author = strings.Repeat("a", MaxAuthor+1) },
		"tombstone with a body":     func(r *Record) { r.Operation = proof.Delete },
		"no body":                   func(r *Record) { r.Body = Body{} },
		"empty body":                func(r *Record) { r.Body = PlainBody(nil) },
		"unknown encoding":          func(r *Record) { r.Body.encoding = 3 },
		"empty compressed body":     func(r *Record) { r.Body = Body{encoding: bodyZstd, plainLen: 10} },
		"claims more than MaxBody":  func(r *Record) { r.Body = Body{bodyZstd, MaxBody + 1, []byte{1}} },
		"tombstone, body encoded 1": func(r *Record) { r.Operation, r.Body = proof.Delete, PlainBody(nil) },
	} {
		r := sample(t)
		change(r)
		_, err := Decode(r.Encode())
		require.ErrorIs(t, err, ErrCorrupted, name)
	}
}

// TestNumbersHaveOneForm: a number written longer than need be is refused, so
// that a record has one form.
func TestNumbersHaveOneForm(t *testing.T) {
	b := sample(t).Encode()
	padded := append(bytes.Clone(b[:4]), 0x81, 0x00)
	_, err := Decode(append(padded, b[5:]...))
	require.ErrorIs(t, err, ErrCorrupted)
	overflow := append(bytes.Clone(b[:4]), bytes.Repeat([]byte{0xFF}, 10)...)
	_, err = Decode(append(overflow, b[5:]...))
	require.ErrorIs(t, err, ErrCorrupted)
}

func zstdBody(t *testing.T, plainLen int, frames ...[]byte) Body {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	var out []byte
	for _, f := range frames {
		out = w.EncodeAll(f, out)
	}
	return Body{bodyZstd, plainLen, out}
}

// TestBombs: a compressed body that is more than it says, or more than a body
// may be, is corrupted and is not unpacked.
func TestBombs(t *testing.T) {
	zeros := make([]byte, MaxBody)
	for name, body := range map[string]Body{
		"more than it says":        zstdBody(t, 10, make([]byte, 11)),
		"less than it says":        zstdBody(t, 12, make([]byte, 11)),
		"64 MiB in one frame":      zstdBody(t, MaxBody, make([]byte, 4*MaxBody)),
		"64 MiB in several frames": zstdBody(t, MaxBody, zeros, zeros, zeros, zeros),
		"no zstd":                  {bodyZstd, 4, []byte("abcd")},
		"cut short":                {bodyZstd, 4096, zstdBody(t, 4096, make([]byte, 4096)).bytes[:8]},
	} {
		r := sample(t)
		r.Body = body
		back, err := Decode(r.Encode())
		require.NoError(t, err, name)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = back.Canonical()
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrCorrupted, name)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(3*MaxBody), name)
	}
	// The largest body there can be is fine.
	r := sample(t)
	r.Body = CompressedBody(zeros)
	back, err := Decode(r.Encode())
	require.NoError(t, err)
	plain, err := back.Canonical()
	require.NoError(t, err)
	require.Equal(t, zeros, plain)
}

// FuzzDecode: whatever decodes encodes to the same bytes, and nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add(sample(f).Encode())
	f.Add(tombstone(f).Encode())
	f.Add(compressed(f).Encode())
	f.Add(binary.AppendUvarint([]byte{1, 1, 0, 2}, math.MaxUint64))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			require.True(t, bytes.HasPrefix([]byte(err.Error()), []byte("corrupted record")) ||
				bytes.HasPrefix([]byte(err.Error()), []byte("record of a newer format")), err)
			return
		}
		require.Equal(t, b, r.Encode())
		_, _ = r.Canonical()
	})
}
