package docclient

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// position is where a list is: what was verified last, so that the page after it
// is held to go on from there, and where the server goes on. Its token is what
// callers keep between two pages.
type position struct {
	server       string // the server's own token
	tx           uint64 // that the list looks at
	collectionID uint32 // of the documents so far, 0 before the first
	id           value.Value
	sortKey      []byte                // of a scan in another order
	ids          map[[16]byte]struct{} // hashes of its ids, not over pages

	// Of a history: the revision listed last, 0 before the first.
	revision uint64
	manifest proof.Hash
	previous *proof.Hash
}

// positionVersion is the first item of a token; any other is refused.
const positionVersion = 2

func (p *position) sortValue() value.Value {
	if p.sortKey == nil {
		return value.Null()
	}
	return value.Bytes(p.sortKey)
}

func (p *position) token() string {
	if p.server == "" {
		return ""
	}
	previous := value.Null()
	if p.previous != nil {
		previous = value.Bytes(p.previous[:])
	}
	return base64.RawURLEncoding.EncodeToString(canon.Encode(value.Array([]value.Value{
		value.Int(positionVersion), value.String(p.server), value.Uint(p.tx), value.Uint(uint64(p.collectionID)), p.id,
		value.Uint(p.revision), value.Bytes(p.manifest[:]), previous, p.sortValue(),
	})))
}

// parsePosition reads a token; the empty one is the start.
func parsePosition(token string) (*position, error) {
	p := &position{}
	if token == "" {
		return p, nil
	}
	bad := fmt.Errorf("%w: the page token is not one of NextPageToken", ErrInvalid)
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, bad
	}
	v, err := canon.Decode(b)
	if err != nil || v.Len() != 9 || !value.Equal(v.Index(0), value.Int(positionVersion)) {
		return nil, bad
	}
	var number uint64
	var ok [5]bool
	p.server, ok[0] = v.Index(1).AsString()
	p.tx, ok[1] = v.Index(2).AsUint()
	number, ok[2] = v.Index(3).AsUint()
	p.collectionID, p.id = uint32(number), v.Index(4)
	p.revision, ok[3] = v.Index(5).AsUint()
	p.manifest, ok[4] = hashOf(v.Index(6))
	if ok != [5]bool{true, true, true, true, true} || number != uint64(p.collectionID) || p.server == "" {
		return nil, bad
	}
	if previous, has := hashOf(v.Index(7)); has {
		p.previous = &previous
	}
	p.sortKey, _ = v.Index(8).AsBytes()
	return p, nil
}

func hashOf(v value.Value) (h proof.Hash, ok bool) {
	b, _ := v.AsBytes()
	return h, copy(h[:], b) == len(h) && len(b) == len(h)
}

// rememberedIDs is how many documents at the start of a list in another order than that of the ids are remembered: some 5 MB.
const rememberedIDs = 100_000

// again reports whether a document came before, and remembers it. Another revision of it may have its place elsewhere in the
// order, so the order does not tell.
func (p *position) again(id value.Value) bool {
	sum := sha256.Sum256(canon.Encode(id))
	key := [16]byte(sum[:])
	if _, seen := p.ids[key]; seen {
		return true
	}
	if p.ids == nil {
		p.ids = map[[16]byte]struct{}{}
	}
	if len(p.ids) < rememberedIDs {
		p.ids[key] = struct{}{}
	}
	return false
}

// inScan holds a verified document to follow the one before in the list's order,
// and steps to it.
func (p *position) inScan(what string, v *proof.Verified, doc value.Value, o *ListOptions) error {
	order := value.Compare(p.id, v.ID)
	if o.Descending {
		order = -order
	}
	var key []byte
	if len(o.Sort) > 0 {
		key = query.AppendKey(o.Sort, nil, fieldpath.DecodedNode(doc))
		order = cmp.Or(bytes.Compare(p.sortKey, key), order)
	}
	if !p.id.IsNull() && order >= 0 {
		return refusedf(what, "order", "it follows document %s", jsonOf(p.id))
	}
	if _, byID := o.Sort.ByID(); !byID && p.again(v.ID) {
		return refusedf(what, "order", "it has come before, as another revision")
	}
	p.collectionID, p.id, p.sortKey = v.CollectionID, v.ID, key
	return nil
}

// nextRevision is the revision that a history must go on with, 0 where that is
// the server's word.
func (p *position) nextRevision(what string, descending bool) (uint64, error) {
	switch {
	case !descending:
		return p.revision + 1, nil
	case p.revision == 0:
		return 0, nil
	case p.revision == 1:
		return 0, refusedf(what, proof.CheckHistory, "there is nothing before revision 1")
	default:
		return p.revision - 1, nil
	}
}

// inHistory holds a verified revision to be linked with the one before in the
// list, and steps to it.
func (p *position) inHistory(what string, v *proof.Verified, descending bool) error {
	if p.revision != 0 {
		older, newer, link := p.revision, v.Revision, v.Previous
		hash := p.manifest
		if descending {
			older, newer, link, hash = v.Revision, p.revision, p.previous, v.ManifestHash
		}
		if link == nil || *link != hash {
			return refusedf(what, proof.CheckHistory, "revision %d does not continue revision %d", newer, older)
		}
	}
	p.collectionID, p.revision, p.manifest, p.previous = v.CollectionID, v.Revision, v.ManifestHash, v.Previous
	return nil
}
