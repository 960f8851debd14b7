package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// HashSize is the size of every hash in a proof, in bytes.
const HashSize = ptree.HashSize

// Hash is a SHA-256 digest.
type Hash = ptree.Hash

// HeaderVersion is the only version of an immudb transaction header that a
// verifier accepts: version 0 does not cover the metadata of entries.
const HeaderVersion = 1

// MaxTxMetadata is the longest transaction metadata that immudb writes, in bytes.
const MaxTxMetadata = 268

// Header is the header of an immudb transaction. Its [Header.Alh] commits to
// the entries of the transaction (Eh) and to all transactions 1 to BlTxID
// (BlRoot, an RFC 6962 root over their Alh).
type Header struct {
	ID       uint64 // transaction number, from 1
	Ts       int64  // the server's clock, seconds since 1970
	BlTxID   uint64 // number of transactions under BlRoot
	BlRoot   Hash
	PrevAlh  Hash   // Alh of transaction ID-1; zero for the first
	Version  int    // 1
	Metadata []byte // transaction metadata as stored, usually empty
	NEntries int    // number of entries; 0 in what immudb writes before it truncates
	Eh       Hash   // RFC 6962 root over the entry digests
}

// Alh returns immudb's accumulative hash of the transaction:
//
//	SHA-256(id64 ‖ prevAlh ‖ SHA-256(ts64 ‖ version16 ‖ len16(md) ‖ md ‖ nentries32 ‖ Eh ‖ blTxID64 ‖ blRoot))
//
// with big-endian numbers. It is defined for version 1 only; a verifier refuses
// every other version before it looks at the result.
func (h *Header) Alh() Hash {
	buf := make([]byte, 0, 8+2+2+MaxTxMetadata+4+HashSize+8+HashSize)
	buf = binary.BigEndian.AppendUint64(buf, uint64(h.Ts))
	buf = binary.BigEndian.AppendUint16(buf, uint16(h.Version))
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(h.Metadata)))
	buf = append(buf, h.Metadata...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(h.NEntries))
	buf = append(buf, h.Eh[:]...)
	buf = binary.BigEndian.AppendUint64(buf, h.BlTxID)
	buf = append(buf, h.BlRoot[:]...)
	inner := sha256.Sum256(buf)

	buf = binary.BigEndian.AppendUint64(buf[:0], h.ID)
	buf = append(buf, h.PrevAlh[:]...)
	buf = append(buf, inner[:]...)
	return sha256.Sum256(buf)
}

// check requires a header whose fields are in the range that the hash covers,
// so that two different headers cannot have one Alh.
func (h *Header) check() error {
	switch {
	case h.Version != HeaderVersion:
		return fmt.Errorf("header of transaction %d has version %d, only version %d can be verified", h.ID, h.Version, HeaderVersion)
	case h.ID == 0 || h.ID > maxLogSize:
		return fmt.Errorf("transaction number %d is out of range", h.ID)
	case h.BlTxID >= h.ID:
		return fmt.Errorf("transaction %d claims to cover transactions 1 to %d", h.ID, h.BlTxID)
	case h.NEntries < 0 || h.NEntries > math.MaxInt32:
		return fmt.Errorf("transaction %d has %d entries", h.ID, h.NEntries)
	case len(h.Metadata) > MaxTxMetadata:
		return fmt.Errorf("transaction %d has %d bytes of metadata, the limit is %d", h.ID, len(h.Metadata), MaxTxMetadata)
	}
	return nil
}

func (h *Header) append(dst []byte) []byte {
	dst = appendArray(dst, 9)
	dst = canon.AppendUint(dst, h.ID)
	dst = canon.AppendBytes(dst, h.PrevAlh[:])
	dst = canon.AppendInt(dst, h.Ts)
	dst = canon.AppendUint(dst, uint64(h.Version))
	dst = canon.AppendBytes(dst, h.Metadata)
	dst = canon.AppendUint(dst, uint64(h.NEntries))
	dst = canon.AppendBytes(dst, h.Eh[:])
	dst = canon.AppendUint(dst, h.BlTxID)
	return canon.AppendBytes(dst, h.BlRoot[:])
}

func (r *reader) header() (h Header) {
	r.array(9, "header")
	h.ID = r.uint()
	h.PrevAlh = r.hash()
	h.Ts = r.int()
	h.Version = int(r.uintMax(math.MaxUint16, "header version"))
	h.Metadata = r.bytes()
	h.NEntries = int(r.uintMax(math.MaxInt32, "number of entries"))
	h.Eh = r.hash()
	h.BlTxID = r.uint()
	h.BlRoot = r.hash()
	if len(h.Metadata) == 0 {
		h.Metadata = nil
	}
	return h
}
