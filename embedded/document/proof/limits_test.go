package proof

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// deepValue is a value whose many leaves have very long paths: what a proof says
// once, each of them repeats.
func deepValue(keyLength, elements int) []byte {
	var b []byte
	for range 80 {
		b = canon.AppendHead(b, canon.MajorMap, 1)
		b = canon.AppendText(b, strings.Repeat("k", keyLength))
	}
	b = canon.AppendHead(b, canon.MajorArray, uint64(elements))
	return append(b, make([]byte, elements)...)
}

// A proof made to take memory: hundreds of thousands of absences that refer to
// leaves with long paths.
func TestMemoryOfAProofIsBounded(t *testing.T) {
	const elements = 20_000
	val := deepValue(100, elements)
	c := Claims{Properties: []PropertyClaim{{Path: key("a"), Index: 1, Value: val, Salts: make([]ptree.Salt, 81+elements)}}}
	for i := range uint64(elements) {
		c.Absences = append(c.Absences, AbsenceClaim{Ancestor: i, Left: i})
	}
	_, err := c.show(1 << 20)
	requireCheck(t, err, CheckProperty)
	require.ErrorContains(t, err, "too many absences")

	// Without the absences the same property is nothing special.
	c.Absences = nil
	s, err := c.show(1 << 20)
	require.NoError(t, err)
	require.Len(t, s.known, 81+elements)
	require.Len(t, s.leaves, 2)
}

// A proof made to take time.
func TestHashingOfAProofIsBounded(t *testing.T) {
	const elements = 200_000
	val := deepValue(1000, elements)
	c := Claims{Properties: []PropertyClaim{{Path: key("a"), Index: 1, Value: val, Salts: make([]ptree.Salt, 81+elements)}}}
	_, err := c.show(1 << 20)
	requireCheck(t, err, CheckProperty)
	require.ErrorContains(t, err, "paths")
}

// Numbers that promise more than there is.
func TestParsersBelieveNoNumber(t *testing.T) {
	huge := canon.AppendHead(nil, canon.MajorArray, 1<<40)
	for name, b := range map[string][]byte{
		"array":                 huge,
		"bytes":                 canon.AppendHead([]byte{0x86, 1, 0}, canon.MajorBytes, 1<<40),
		"properties":            append(disclosurePrefix(), huge...),
		"text":                  canon.AppendHead([]byte{0x86, 1, 0}, canon.MajorText, 1<<40),
		"negative":              {0x86, 1, 0x20},
		"too deep":              []byte(strings.Repeat("\x81", 1000)),
		"version 2":             {0x86, 2},
		"empty":                 {},
		"tag":                   {0xC1, 0x86, 1},
		"indefinite":            {0x9F, 1, 0xFF},
		"long head":             {0x98, 6, 1},
		"other kinds":           {0x86, 1, 0, 0x40, 0x40, 0x40, 0x81, 0x03},
		"witness of 2 elements": append(disclosurePrefix(), 0x80, 0x81, 0x82, 0x01, 0x40, 0x80, 0x40),
	} {
		_, err := ParseDocumentProof(b)
		requireCheck(t, err, CheckSection)
		require.ErrorIs(t, err, ErrMalformed, name)
		_, err = ParseTransactionProof(b)
		require.ErrorIs(t, err, ErrMalformed, name)
		_, err = ParseStateProof(b)
		require.ErrorIs(t, err, ErrMalformed, name)
		_, err = ParseManifest(b)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

func disclosurePrefix() []byte { return []byte{0x86, 1, 0, 0x40, 0x40, 0x40, 0x85, 2} }
