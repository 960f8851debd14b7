package proof

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/signer"
	"github.com/stretchr/testify/require"
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// sign signs as immudb does, by immudb's own code.
func sign(t testing.TB, key *ecdsa.PrivateKey, database string, s State) []byte {
	t.Helper()
	state := &schema.ImmutableState{Db: database, TxId: s.TxID, TxHash: s.Alh[:]}
	require.Equal(t, state.ToBytes(), StateBytes(database, s))
	sig, _, err := signer.NewSignerFromPKey(rand.Reader, key).Sign(state.ToBytes())
	require.NoError(t, err)
	return sig
}

func TestStateBytes(t *testing.T) {
	s := State{TxID: 258, Alh: Hash{0xAB, 31: 0xCD}}
	require.Equal(t, "00000003"+"646231"+"0000000000000102"+hex.EncodeToString(s.Alh[:]), hex.EncodeToString(StateBytes("db1", s)))
}

func TestSignedState(t *testing.T) {
	key := newKey(t)
	anchor := SignedState{PublicKey: &key.PublicKey}
	l, rev := sampleLedger(t, 3, 5)
	req := Request{Properties: []string{"/age"}}
	e := l.evidence(t, 3, 0, 5, req)
	expect := l.expect(t, rev, req)
	_, err := e.Verify(expect, anchor)
	requireCheck(t, err, CheckAnchor)

	e.Signature = sign(t, key, "defaultdb", l.state(5))
	v, err := e.Verify(expect, anchor)
	require.NoError(t, err)
	require.Equal(t, "defaultdb", v.Database)
	file, err := e.Marshal()
	require.NoError(t, err)
	parsed, err := Parse(file)
	require.NoError(t, err)
	_, err = parsed.Verify(expect, anchor)
	require.NoError(t, err)

	// The key comes from the caller: a file signed by another key shows nothing.
	_, err = e.Verify(expect, SignedState{PublicKey: &newKey(t).PublicKey})
	requireCheck(t, err, CheckAnchor)

	// The database that was signed is the database of the proof.
	moved := *e
	moved.Database = "other"
	other := expect
	other.Database = "other"
	_, err = moved.Verify(other, anchor)
	requireCheck(t, err, CheckAnchor)
	_, err = e.Verify(other, anchor)
	requireCheck(t, err, CheckDatabase)

	// Signatures over something else.
	for _, sig := range [][]byte{
		sign(t, key, "other", l.state(5)), sign(t, key, "defaultdb", l.state(4)), sign(t, key, "defaultdb", State{TxID: 4, Alh: l.state(5).Alh}),
		{},
		{0x30, 0x00},
		make([]byte, 64),
	} {
		bad := *e
		bad.Signature = sig
		_, err := bad.Verify(expect, anchor)
		requireCheck(t, err, CheckAnchor)
	}
	mutate(e.Signature, true, func(changed []byte, what string) {
		bad := *e
		bad.Signature = changed
		_, err := bad.Verify(expect, anchor)
		requireCheck(t, err, CheckAnchor)
	})

	// A signature does not help a proof that is wrong below it.
	bad := *e
	bad.Transaction.Path = append([]Hash{{}}, bad.Transaction.Path...)
	_, err = bad.Verify(expect, anchor)
	requireCheck(t, err, CheckTxInclusion)

	// Nor does it matter to a caller who trusts a state.
	_, err = e.Verify(expect, l.trusted(5))
	require.NoError(t, err)
	_, err = e.Verify(expect, l.trusted(4))
	requireCheck(t, err, CheckAnchor)
	wrong := l.trusted(5)
	wrong.State.Alh[31] ^= 1
	_, err = e.Verify(expect, wrong)
	requireCheck(t, err, CheckAnchor)
}

// Any curve that immudb signs with.
func TestSignedStateCurves(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		s := State{TxID: 7, Alh: sha256.Sum256([]byte("x"))}
		sig := sign(t, key, "db", s)
		require.True(t, VerifyStateSignature(&key.PublicKey, "db", s, sig))
		require.False(t, VerifyStateSignature(&key.PublicKey, "dc", s, sig))
	}
}
