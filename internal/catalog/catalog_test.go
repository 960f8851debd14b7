package catalog

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/rules"
	"github.com/immudoc/immudoc/internal/view"
)

func mustHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// TestExample holds the bytes of the package comment's example.
func TestExample(t *testing.T) {
	want := mustHex(t, "01 A7 01 64 64656D6F 02 00 03 F4 04 F4 05 F4 06 62 6A6F 07 00")
	b, err := (&Collection{ID: 3, Name: "demo", Author: "jo", CreatedTx: 9, ChangedTx: 9}).Encode()
	require.NoError(t, err)
	require.Equal(t, want, b)
	c, err := Decode(3, want, 9)
	require.NoError(t, err)
	require.Equal(t, &Collection{ID: 3, Name: "demo", Author: "jo", ChangedTx: 9}, c)

	want = mustHex(t, "02 AB 01 64 64656D6F 02 00 03 F4 04 F4 05 F4 06 62 6A6F 07 00 08 F6 09 80 0A 19 03E8 0B F4")
	b, err = (&Collection{ID: 3, Name: "demo", Author: "jo", Rules: &rules.Rules{MaxSize: 1000}}).Encode()
	require.NoError(t, err)
	require.Equal(t, want, b)
	c, err = Decode(3, want, 9)
	require.NoError(t, err)
	require.Equal(t, &Collection{ID: 3, Name: "demo", Author: "jo", Rules: &rules.Rules{MaxSize: 1000}, ChangedTx: 9}, c)
}

// TestRules: rules are stored, and altered one by one.
func TestRules(t *testing.T) {
	source, err := value.ParseJSON([]byte(`{"properties":{"at":{"const":{"$date":"2026-01-31T12:00:00Z"}}}}`))
	require.NoError(t, err)
	schema, err := rules.NewSchema(source)
	require.NoError(t, err)
	plain := &Collection{Name: "c", ChangedTx: 5}
	paths, size, yes := []string{"b", "/a/~1"}, 70, true
	steps := []*Alteration{{Schema: schema}, {WriteOnce: &paths}, {MaxSize: &size}, {AppendOnly: &yes}, {Schema: rules.NoSchema}}
	at := plain
	for i, a := range steps {
		next, err := at.Alter(a)
		require.NoError(t, err)
		b, err := next.Encode()
		require.NoError(t, err)
		require.Equal(t, formatRules, b[0])
		back, err := Decode(0, b, 5)
		require.NoError(t, err)
		require.True(t, back.Rules.Equal(next.Rules))
		require.True(t, back.Altered)
		require.Equal(t, i >= 3, back.AppendOnly)
		require.Equal(t, i < 4, value.Equal(source, back.Rules.Schema.Source()))
		if i >= 1 {
			require.Equal(t, []string{"/a/~1", "/b"}, back.Rules.WriteOnce)
		}
		at = next
	}
	require.Nil(t, plain.Rules)
	none, no := []string{}, 0
	last, err := at.Alter(&Alteration{WriteOnce: &none, MaxSize: &no})
	require.NoError(t, err)
	require.Nil(t, last.Rules)
	b, err := last.Encode()
	require.NoError(t, err)
	require.Equal(t, formatRules, b[0], "what was altered stays known")

	no = -1
	_, err = at.Alter(&Alteration{MaxSize: &no})
	require.ErrorIs(t, err, rules.ErrInvalid)
}

func TestEncodeDecode(t *testing.T) {
	for i := range 32 {
		bit := func(n int) bool { return i&(1<<n) != 0 }
		c := &Collection{
			ID: uint32(i), Name: "c", AppendOnly: bit(0), Compress: bit(1), Dropped: bit(2), Author: "ä",
			ChangedTx: 70, Rewritten: bit(4),
		}
		if bit(3) {
			c.Mode = ptree.ModeDocument
		}
		b, err := c.Encode()
		require.NoError(t, err)
		tx := uint64(70)
		if c.Rewritten {
			tx = 900 // a rewritten definition holds from the transaction that made it
		}
		back, err := Decode(c.ID, b, tx)
		require.NoError(t, err)
		require.Equal(t, c, back)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := (&Collection{Name: "demo"}).Encode()
	require.NoError(t, err)
	withFormat := func(format byte, m map[any]any) []byte {
		b, err := cbor.Marshal(m)
		require.NoError(t, err)
		return append([]byte{format}, b...)
	}
	field := func(m map[any]any) []byte { return withFormat(formatDefinition, m) }
	for name, b := range map[string][]byte{
		"empty":         {},
		"format 0":      append([]byte{0}, good[1:]...),
		"no map":        {formatDefinition},
		"not CBOR":      {formatDefinition, 0xFF},
		"an array":      {formatDefinition, 0x80},
		"trailing data": append(slices.Clone(good), 0),
		"unknown field": field(map[any]any{1: "demo", 8: 1}),
		"bad name":      field(map[any]any{1: "0"}),
		"no name":       field(map[any]any{2: 0}),
		"unknown mode":  field(map[any]any{1: "demo", 2: 2}),
		"twice a field": {formatDefinition, 0xA2, 0x01, 0x61, 'a', 0x01, 0x61, 'b'},
		"wrong type":    field(map[any]any{1: 1}),
		"no schema":     withFormat(2, map[any]any{1: "demo"}),
		"bad path":      withFormat(2, map[any]any{1: "demo", 8: nil, 9: []string{"/~"}}),
		"bad size":      withFormat(2, map[any]any{1: "demo", 8: nil, 10: uint64(math.MaxUint64)}),
		"bad schema":    withFormat(2, map[any]any{1: "demo", 8: cbor.RawMessage{0x18, 0x01}}),
	} {
		_, err := Decode(7, b, 1)
		require.ErrorIs(t, err, ErrCorrupted, name)
		require.ErrorContains(t, err, "collection 7", name)
	}
	for n := 1; n < len(good); n++ {
		_, err := Decode(7, good[:n], 1)
		require.ErrorIs(t, err, ErrCorrupted)
	}
	_, err = Decode(7, append([]byte{3}, good[1:]...), 1)
	require.ErrorIs(t, err, ErrNewerFormat)
	require.ErrorContains(t, err, "collection 7 has format 3, this version reads up to 2")
}

func FuzzDecode(f *testing.F) {
	good, _ := (&Collection{Name: "demo", Author: "jo"}).Encode()
	f.Add(good)
	schema, _ := rules.NewSchema(value.Bool(true))
	good, _ = (&Collection{Name: "demo", Rules: &rules.Rules{Schema: schema, WriteOnce: []string{"/a"}, MaxSize: 9}, Altered: true}).Encode()
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(1, b, 5)
		if err != nil {
			return
		}
		again, err := c.Encode()
		require.NoError(t, err)
		back, err := Decode(1, again, 5)
		require.NoError(t, err)
		require.True(t, c.Rules.Equal(back.Rules))
		c.Rules, back.Rules = nil, nil // a schema holds a function
		require.Equal(t, c, back)
	})
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "_", "Zz", "a-b.c_9", "x" + strings.Repeat("0", MaxNameLen-1)} {
		require.NoError(t, CheckName(name), name)
	}
	for name, says := range map[string]string{
		"":                                "it is empty",
		"9a":                              `'9' at byte 0`,
		"-a":                              `'-' at byte 0`,
		".a":                              `'.' at byte 0`,
		"a b":                             `' ' at byte 1`,
		"a/b":                             `'/' at byte 1`,
		"aä":                              "at byte 1",
		"a\x00":                           `'\x00' at byte 1`,
		strings.Repeat("a", MaxNameLen+1): "129 bytes, the limit is 128",
	} {
		err := CheckName(name)
		require.ErrorIs(t, err, ErrInvalidName, name)
		require.ErrorContains(t, err, says)
	}
}

// history makes the catalog after: 10 create a (1), 20 create b (2), 30 drop a,
// 40 create a again (3), 50 drop a again, 60 create a again (4).
func history() *Catalog {
	c := &Catalog{}
	for _, coll := range []*Collection{
		{ID: 1, Name: "a", CreatedTx: 10, ChangedTx: 10},
		{ID: 2, Name: "b", CreatedTx: 20, ChangedTx: 20},
		{ID: 1, Name: "a", CreatedTx: 10, ChangedTx: 30, Dropped: true},
		{ID: 3, Name: "a", CreatedTx: 40, ChangedTx: 40, AppendOnly: true},
		{ID: 3, Name: "a", CreatedTx: 40, ChangedTx: 50, Dropped: true, AppendOnly: true},
		{ID: 4, Name: "a", CreatedTx: 60, ChangedTx: 60},
	} {
		c = c.With(coll)
	}
	return c
}

// TestNamesAsOf: a name means another collection at another time.
func TestNamesAsOf(t *testing.T) {
	c := history()
	want := map[uint64]uint32{ // 0 for none
		1: 0, 9: 0, 10: 1, 29: 1, 30: 0, 39: 0, 40: 3, 49: 3, 50: 0, 59: 0, 60: 4, 1000: 4, view.Newest: 4,
	}
	for at, id := range want {
		coll, ok := c.ByName("a", at)
		require.Equal(t, id != 0, ok, "at %d", at)
		if ok {
			require.Equal(t, id, coll.ID, "at %d", at)
		}
		var names []string
		for _, coll := range c.List(at) {
			names = append(names, coll.Name)
		}
		var wantNames []string
		if id != 0 {
			wantNames = append(wantNames, "a")
		}
		if at >= 20 {
			wantNames = append(wantNames, "b")
		}
		require.Equal(t, wantNames, names, "at %d", at)
	}
	_, ok := c.ByName("nothing", view.Newest)
	require.False(t, ok)

	coll, ok := c.ByID(3)
	require.True(t, ok)
	require.True(t, coll.Dropped && coll.AppendOnly)
	_, ok = c.ByID(5)
	require.False(t, ok)
	require.Equal(t, []uint32{1, 2, 3, 4}, c.IDs())
	require.Equal(t, uint32(5), c.NextID())
	require.Equal(t, byte(1), c.StoredFormat())
	var ids []uint32
	for _, coll := range c.Incarnations("a") {
		ids = append(ids, coll.ID)
	}
	require.Equal(t, []uint32{1, 3, 4}, ids)
}

// TestProvisional: what a round is about to write has no transaction yet, and
// counts at once for what follows in the round.
func TestProvisional(t *testing.T) {
	c := history().With(&Collection{ID: 5, Name: "new"})
	_, ok := c.ByName("new", view.Newest)
	require.True(t, ok)
	c = c.With(&Collection{ID: 5, Name: "new", Dropped: true})
	_, ok = c.ByName("new", view.Newest)
	require.False(t, ok)
}

func TestWithLeavesTheOldOne(t *testing.T) {
	var empty Catalog
	require.Equal(t, uint32(1), empty.NextID())
	require.Zero(t, empty.StoredFormat())
	require.Empty(t, empty.List(view.Newest))
	one := empty.With(&Collection{ID: 1, Name: "a", CreatedTx: 5, ChangedTx: 5})
	two := one.With(&Collection{ID: 1, Name: "a", CreatedTx: 5, ChangedTx: 9, Dropped: true})
	require.Empty(t, empty.IDs())
	coll, ok := one.ByName("a", view.Newest)
	require.True(t, ok)
	require.False(t, coll.Dropped)
	_, ok = two.ByName("a", view.Newest)
	require.False(t, ok)
}

// TestAgreesWithAModel creates and drops collections at random and asks for
// names as of random transactions.
func TestAgreesWithAModel(t *testing.T) {
	rng := enginetest.Rand(t)
	c := &Catalog{}
	const transactions, names = 300, 4
	states := make([]map[string]uint32, transactions+1)
	states[0] = map[string]uint32{}
	for tx := uint64(1); tx <= transactions; tx++ {
		now := map[string]uint32{}
		for name, id := range states[tx-1] {
			now[name] = id
		}
		name := fmt.Sprintf("c%d", rng.IntN(names))
		if id, exists := now[name]; exists {
			old, _ := c.ByID(id)
			dropped := *old
			dropped.Dropped, dropped.ChangedTx = true, tx
			c = c.With(&dropped)
			delete(now, name)
		} else {
			now[name] = c.NextID()
			c = c.With(&Collection{ID: c.NextID(), Name: name, CreatedTx: tx, ChangedTx: tx})
		}
		states[tx] = now
	}
	for at := uint64(0); at <= transactions; at++ {
		got := map[string]uint32{}
		for _, coll := range c.List(at) {
			got[coll.Name] = coll.ID
		}
		require.Equal(t, states[at], got, "at %d", at)
	}
	_, ok := c.ByName("c0", math.MaxUint64)
	_, want := states[transactions]["c0"]
	require.Equal(t, want, ok)
}
