package proof

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/binary"
)

// Anchor is what the caller trusts: a [TrustedState] or a [SignedState]. No
// anchor (nil) is possible too; a verification then ends with [ErrUnanchored] at
// best.
type Anchor interface {
	// resolve returns the database that the anchor names, after checking that the
	// evidence is anchored in the state that the anchor vouches for.
	resolve(e *Evidence) (database string, err error)
}

// TrustedState is a state of a database that the caller has from a source it
// trusts, such as the state file that immudb's clients keep.
type TrustedState struct {
	Database string
	State    State
}

func (t TrustedState) resolve(e *Evidence) (string, error) {
	switch got := e.Transaction.AnchorState(); {
	case t.Database == "" || t.State.TxID == 0:
		return "", failf(CheckExpectation, "the trusted state is empty")
	case got.TxID != t.State.TxID:
		return "", failf(CheckAnchor, "the evidence is anchored in transaction %d, the trusted state is that of transaction %d: "+
			"verify with a trusted state of transaction %d, or ask for the evidence anew", got.TxID, t.State.TxID, got.TxID)
	case got.Alh != t.State.Alh:
		return "", failf(CheckAnchor, "the header of transaction %d does not have the trusted hash", got.TxID)
	}
	return t.Database, nil
}

// SignedState trusts every state that immudb has signed with a key. The caller
// brings the public key; the evidence brings only the signature.
type SignedState struct {
	PublicKey *ecdsa.PublicKey
}

func (s SignedState) resolve(e *Evidence) (string, error) {
	if s.PublicKey == nil {
		return "", failf(CheckExpectation, "no public key was given")
	}
	if len(e.Signature) == 0 {
		return "", failf(CheckAnchor, "the evidence has no signature of the server")
	}
	if !VerifyStateSignature(s.PublicKey, e.Database, e.Transaction.AnchorState(), e.Signature) {
		return "", failf(CheckAnchor, "the signature over database %q, transaction %d is not of the given key", e.Database, e.Transaction.AnchorState().TxID)
	}
	return e.Database, nil
}

// StateBytes returns what immudb signs of a state:
//
//	len32(database) ‖ database ‖ txID64 ‖ Alh
//
// with big-endian numbers. The signature is ECDSA over the SHA-256 of these
// bytes, in ASN.1 DER.
func StateBytes(database string, s State) []byte {
	buf := make([]byte, 0, 4+len(database)+8+HashSize)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(database)))
	buf = append(buf, database...)
	buf = binary.BigEndian.AppendUint64(buf, s.TxID)
	return append(buf, s.Alh[:]...)
}

// VerifyStateSignature reports whether sig is immudb's signature of the state
// under the given key.
func VerifyStateSignature(key *ecdsa.PublicKey, database string, s State, sig []byte) bool {
	digest := sha256.Sum256(StateBytes(database, s))
	return ecdsa.VerifyASN1(key, digest[:], sig)
}
