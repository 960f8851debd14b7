package ptree

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
)

const (
	// SeedSize is the size of a seed, in bytes.
	SeedSize = 16
	// SaltSize is the size of a salt, in bytes.
	SaltSize = 16
)

// tagSalt is the first byte of what is authenticated to make a leaf's salt.
const tagSalt = 0x01

// Seed is the secret of one revision, from which the salts of its leaves are
// derived: 16 fresh random bytes for every revision, never used twice. Whoever
// knows it can test guesses for every value of the revision, so it leaves the
// server only together with the whole document.
type Seed [SeedSize]byte

// Salt blinds the commitment of one leaf.
type Salt [SaltSize]byte

// Mode says how much one proof can show of a document.
type Mode uint8

const (
	// ModeProperty makes every node of the document a leaf, so that properties
	// can be proved one by one.
	ModeProperty Mode = 0
	// ModeDocument makes the whole document one leaf.
	ModeDocument Mode = 1
)

// String returns the mode's name as the collection option "evidence" has it.
func (m Mode) String() string {
	switch m {
	case ModeProperty:
		return "property"
	case ModeDocument:
		return "document"
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// Commitment returns the salted commitment to a leaf's value:
// SHA-256(0x02 ‖ salt ‖ value).
func Commitment(salt Salt, value []byte) Hash {
	buf := make([]byte, 0, 1+SaltSize+len(value))
	buf = append(buf, tagCommitment)
	buf = append(buf, salt[:]...)
	return sha256.Sum256(append(buf, value...))
}

// LeafHash returns the hash of a leaf: SHA-256(0x00 ‖ path ‖ commitment).
func LeafHash(path []byte, commitment Hash) Hash {
	buf := make([]byte, 0, 1+len(path)+HashSize)
	buf = append(buf, tagLeaf)
	buf = append(buf, path...)
	return sha256.Sum256(append(buf, commitment[:]...))
}

// leafHasher makes the salts and leaves of one seed and reuses its buffers.
type leafHasher struct {
	mac hash.Hash
	sum []byte // HMAC output
	buf []byte // input of SHA-256
}

func newLeafHasher(seed *Seed) *leafHasher {
	return &leafHasher{
		mac: hmac.New(sha256.New, seed[:]),
	}
}

// salt returns HMAC-SHA-256(seed, 0x01 ‖ path), the first 16 bytes.
func (h *leafHasher) salt(path []byte) Salt {
	h.mac.Reset()
	h.buf = append(append(h.buf[:0], tagSalt), path...)
	h.mac.Write(h.buf)
	h.sum = h.mac.Sum(h.sum[:0])
	return Salt(h.sum[:SaltSize])
}

// leaf returns the leaf hash of a node.
func (h *leafHasher) leaf(path, value []byte) Hash {
	salt := h.salt(path)
	h.buf = append(append(append(h.buf[:0], tagCommitment), salt[:]...), value...)
	commitment := sha256.Sum256(h.buf)
	h.buf = append(append(append(h.buf[:0], tagLeaf), path...), commitment[:]...)
	return sha256.Sum256(h.buf)
}

// DeriveSalt returns the salt of the leaf with the given path:
// HMAC-SHA-256(seed, 0x01 ‖ path), the first 16 bytes.
func DeriveSalt(seed Seed, path []byte) Salt {
	return newLeafHasher(&seed).salt(path)
}
