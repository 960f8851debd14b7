package proof

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// Layout of evidence entries in a transaction.
const (
	// EntryManifests is the largest number of manifest hashes in one evidence entry.
	EntryManifests = 16

	// MaxEvidenceEntries is the largest number of evidence entries in one
	// transaction: their keys count in 16 bits.
	MaxEvidenceEntries = 1 << 16

	// EvidenceMetadata is the entry metadata of an evidence entry, as immudb
	// serialises it: the non-indexable attribute and nothing else.
	EvidenceMetadata = "\x02"

	keyPrefix        = 0x10 // immudoc's prefix in a store
	keyKindEvidence  = 0x0E
	evidenceVersion  = 0x01 // first byte of an evidence entry's value
	tagIndexBlinding = 0x02 // HMAC tag of an index entry's value
	tagAuthorSalt    = 0x03 // HMAC tag of the author's salt
	tagCommitment    = 0x02
	tagManifest      = 0x03
)

// EvidenceKey returns the key of evidence entry i of a transaction,
// 0 <= i < [MaxEvidenceEntries]: 10 0E be16(i). The entry's index in the
// transaction is i as well: evidence entries come first.
func EvidenceKey(i int) []byte {
	return []byte{keyPrefix, keyKindEvidence, byte(i >> 8), byte(i)}
}

// EncodeEvidence returns the value of an evidence entry with the given 1 to
// [EntryManifests] manifest hashes, in slot order: 01 ‖ hashes. Slot s of a
// transaction is item s%16 of entry s/16. Any other number of hashes gives nil.
func EncodeEvidence(hashes []Hash) []byte {
	if len(hashes) < 1 || len(hashes) > EntryManifests {
		return nil
	}
	out := make([]byte, 1, 1+len(hashes)*HashSize)
	out[0] = evidenceVersion
	for i := range hashes {
		out = append(out, hashes[i][:]...)
	}
	return out
}

// ParseEvidence is the inverse of [EncodeEvidence]. Values of any other form
// are refused, and so are values that hold one hash twice: a manifest takes one
// slot.
func ParseEvidence(value []byte) ([]Hash, error) {
	if len(value) == 0 || value[0] != evidenceVersion {
		return nil, fmt.Errorf("%w: evidence entry: want first byte %02x", ErrMalformed, evidenceVersion)
	}
	hashes, ok := splitHashes(value[1:])
	if !ok || len(hashes) < 1 || len(hashes) > EntryManifests {
		return nil, fmt.Errorf("%w: evidence entry of %d bytes, want 1 and 1 to %d times %d", ErrMalformed, len(value), EntryManifests, HashSize)
	}
	for i := range hashes {
		for j := range i {
			if hashes[i] == hashes[j] {
				return nil, fmt.Errorf("%w: evidence entry: items %d and %d are the same", ErrMalformed, j, i)
			}
		}
	}
	return hashes, nil
}

// EntryDigest returns the digest of an entry in a transaction of header version
// 1, from its metadata as immudb serialises it, its key and its value:
//
//	SHA-256(len16(md) ‖ md ‖ len16(key) ‖ key ‖ SHA-256(value))
//
// metadata and key must be shorter than 64 KiB.
func EntryDigest(metadata, key, value []byte) Hash {
	valueHash := sha256.Sum256(value)
	buf := make([]byte, 0, 2+len(metadata)+2+len(key)+HashSize)
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(metadata)))
	buf = append(buf, metadata...)
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(key)))
	buf = append(buf, key...)
	buf = append(buf, valueHash[:]...)
	return sha256.Sum256(buf)
}

// IndexEntryValue returns the value that an index entry carries, live or
// deleted: HMAC-SHA-256(seed, 02 ‖ key), the first 16 bytes. It blinds the digest
// of the entry, which appears as a sibling in other documents' proofs and would
// otherwise give an indexed value away to whoever guesses it.
//
// seed is that of the revision that holds the indexed value. For a deleted entry
// it is therefore the seed of the revision before, not of the one whose
// transaction deletes the entry: a whole-document proof shows the latter, and
// would let its reader guess the value that was there before.
func IndexEntryValue(seed ptree.Seed, key []byte) []byte {
	mac := hmac.New(sha256.New, seed[:])
	mac.Write([]byte{tagIndexBlinding})
	mac.Write(key)
	return mac.Sum(nil)[:ptree.SaltSize:ptree.SaltSize]
}

// AuthorCommitment returns the manifest's commitment to the author:
// SHA-256(02 ‖ HMAC-SHA-256(seed, 03)[:16] ‖ CBOR text string).
func AuthorCommitment(seed ptree.Seed, author string) Hash {
	mac := hmac.New(sha256.New, seed[:])
	mac.Write([]byte{tagAuthorSalt})
	buf := make([]byte, 0, 1+ptree.SaltSize+9+len(author))
	buf = append(buf, tagCommitment)
	buf = append(buf, mac.Sum(nil)[:ptree.SaltSize]...)
	buf = canon.AppendText(buf, author)
	return sha256.Sum256(buf)
}
