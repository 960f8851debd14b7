package check

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// item is what reading the ledger hands on to comparing keys: a version of an indexed
// key, or, under the key of a document, what a transaction does to an entry that the
// document has in an index.
//
// Items are sorted by key, transaction, and the version before the changes. Their
// form is the key, in which 00 stands as 00 FF, 00 01, be64(transaction), then 00 for
// a version, or 01 and the key of the entry, then one byte of flags (1 deleted, 2
// held) and the SHA-256 of the value.
type item struct {
	key     []byte
	tx      uint64
	entry   []byte // nil for a version
	deleted bool
	held    bool              // the value is not truncated
	sum     [sha256.Size]byte // of the value, if it is held
}

const itemTail = 1 + sha256.Size

func (it *item) encode() []byte {
	b := make([]byte, 0, len(it.key)+len(it.entry)+bytes.Count(it.key, []byte{0})+2+8+1+itemTail)
	for _, c := range it.key {
		if b = append(b, c); c == 0 {
			b = append(b, 0xFF)
		}
	}
	b = binary.BigEndian.AppendUint64(append(b, 0, 1), it.tx)
	if it.entry == nil {
		b = append(b, 0)
	} else {
		b = append(append(b, 1), it.entry...)
	}
	flags := byte(0)
	if it.deleted {
		flags |= 1
	}
	if it.held {
		flags |= 2
	}
	return append(append(b, flags), it.sum[:]...)
}

var errItem = errors.New("a temporary file does not hold what was written to it")

func decodeItem(b []byte) (item, error) {
	var it item
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 || i+1 == len(b) {
			return it, errItem
		}
		mark := b[i+1]
		it.key = append(it.key, b[:i]...)
		if b = b[i+2:]; mark == 1 {
			break
		}
		it.key = append(it.key, 0)
	}
	if len(b) < 8+1+itemTail {
		return it, errItem
	}
	it.tx = binary.BigEndian.Uint64(b)
	if b = b[8:]; b[0] == 1 {
		it.entry = b[1 : len(b)-itemTail]
	}
	tail := b[len(b)-itemTail:]
	it.deleted, it.held = tail[0]&1 != 0, tail[0]&2 != 0
	copy(it.sum[:], tail[1:])
	return it, nil
}
