package proof

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func sampleManifest() *Manifest {
	previous := Hash{0xBB}
	return &Manifest{
		Mode: ptree.ModeProperty, CollectionID: 7, Collection: "patients",
		ID: canon.Encode(value.String("p-1")), Revision: 2, Operation: Update, Leaves: 4,
		Root: Hash{0xAA}, Previous: &previous, Author: Hash{0xCC},
	}
}

func TestManifestRoundTrip(t *testing.T) {
	ids := []value.Value{
		value.Int(0), value.Int(-1), value.Int(-1 << 63), value.Uint(1<<64 - 1), value.String(""), value.String("ü"),
		value.Bytes([]byte{1, 2}), value.UUID([16]byte{15: 9}),
	}
	for _, id := range ids {
		m := sampleManifest()
		m.ID = canon.Encode(id)
		got, err := ParseManifest(m.Encode())
		require.NoError(t, err)
		require.Equal(t, m, got)
		require.Equal(t, m.Hash(), got.Hash())
	}
	first := sampleManifest()
	first.Revision, first.Previous = 1, nil
	got, err := ParseManifest(first.Encode())
	require.NoError(t, err)
	require.Equal(t, first, got)
}

func TestManifestBytes(t *testing.T) {
	m := sampleManifest()
	require.Equal(t, "8b010007"+"68"+hex.EncodeToString([]byte("patients"))+"63702d31"+"02"+"03"+"04"+
		"5820"+hex.EncodeToString(m.Root[:])+"5820"+hex.EncodeToString(m.Previous[:])+"5820"+hex.EncodeToString(m.Author[:]),
		hex.EncodeToString(m.Encode()))
}

func TestManifestRules(t *testing.T) {
	half, err := value.Float(0.5)
	require.NoError(t, err)
	for name, change := range map[string]func(*Manifest){
		"mode":                    func(m *Manifest) { m.Mode = 2 },
		"collection id 0":         func(m *Manifest) { m.CollectionID = 0 },
		"empty collection":        func(m *Manifest) { m.Collection = "" },
		"collection not UTF-8":    func(m *Manifest) { m.Collection = "\xff" },
		"id not UTF-8":            func(m *Manifest) { m.ID = []byte{0x61, 0xff} },
		"id null":                 func(m *Manifest) { m.ID = []byte{0xF6} },
		"id float":                func(m *Manifest) { m.ID = canon.Encode(half) },
		"id array":                func(m *Manifest) { m.ID = []byte{0x80} },
		"id not shortest":         func(m *Manifest) { m.ID = []byte{0x18, 0x01} },
		"id below int64":          func(m *Manifest) { m.ID = []byte{0x3B, 0x80, 0, 0, 0, 0, 0, 0, 0} },
		"no id":                   func(m *Manifest) { m.ID = nil },
		"two ids":                 func(m *Manifest) { m.ID = []byte{1, 1} },
		"cut UUID":                func(m *Manifest) { m.ID = append([]byte{0xD8, 0x25, 0x50}, make([]byte, 15)...) },
		"UUID of other length":    func(m *Manifest) { m.ID = append([]byte{0xD8, 0x25, 0x51}, make([]byte, 17)...) },
		"revision 0":              func(m *Manifest) { m.Revision = 0 },
		"revision 1, previous":    func(m *Manifest) { m.Revision = 1 },
		"revision 2, no previous": func(m *Manifest) { m.Previous = nil },
		"operation 0":             func(m *Manifest) { m.Operation = 0 },
		"operation 5":             func(m *Manifest) { m.Operation = 5 },
		"no leaves":               func(m *Manifest) { m.Leaves = 0 },
		"too many leaves":         func(m *Manifest) { m.Leaves = ptree.MaxLeaves + 1 },
		"document, two leaves":    func(m *Manifest) { m.Mode = ptree.ModeDocument; m.Leaves = 2 },
		"tombstone, two leaves":   func(m *Manifest) { m.Operation = Delete; m.Leaves = 2 },
	} {
		m := sampleManifest()
		change(m)
		_, err := ParseManifest(m.Encode())
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

func TestManifestStrict(t *testing.T) {
	good := sampleManifest().Encode()
	for i := range good {
		_, err := ParseManifest(good[:i])
		require.ErrorIs(t, err, ErrMalformed, "cut at %d", i)
		long := append(append(append([]byte{}, good[:i]...), 0), good[i:]...)
		if m, err := ParseManifest(long); err == nil {
			require.Equal(t, long, m.Encode())
		}
		for bit := range 8 {
			bad := append([]byte{}, good...)
			bad[i] ^= 1 << bit
			if m, err := ParseManifest(bad); err == nil {
				require.Equal(t, bad, m.Encode(), "byte %d bit %d", i, bit)
				require.NotEqual(t, sampleManifest().Hash(), m.Hash())
			}
		}
	}
	_, err := ParseManifest(append(good, 0))
	require.ErrorIs(t, err, ErrMalformed)
}
