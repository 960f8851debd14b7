package docclient

import (
	"encoding/base64"
	"fmt"
	"math"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// wholeTransaction as the slot of a place says that it is behind all slots.
const wholeTransaction = math.MaxUint32

// watchPlace is where a watch is: behind which revision, so that the one that goes
// on is held to go on there, and where the server goes on.
type watchPlace struct {
	server       string // the server's own token
	collectionID uint32 // of the revisions so far, 0 before the first
	tx           uint64
	slot         uint32 // the last one of tx that was seen
}

// watchVersion is the first item of a token; any other is refused.
const watchVersion = 1

func (p *watchPlace) token() string {
	if p.server == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(canon.Encode(value.Array([]value.Value{
		value.Int(watchVersion), value.String("watch"), value.String(p.server),
		value.Uint(uint64(p.collectionID)), value.Uint(p.tx), value.Uint(uint64(p.slot)),
	})))
}

// parseWatchPlace reads a token; the empty one is the start.
func parseWatchPlace(token string) (p watchPlace, err error) {
	if token == "" {
		return p, nil
	}
	bad := fmt.Errorf("%w: the token is not one of ResumeToken", ErrInvalid)
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return p, bad
	}
	v, err := canon.Decode(b)
	if err != nil || v.Kind() != value.KindArray || v.Len() != 6 ||
		!value.Equal(v.Index(0), value.Int(watchVersion)) || !value.Equal(v.Index(1), value.String("watch")) {
		return p, bad
	}
	var number, slot uint64
	var ok [4]bool
	p.server, ok[0] = v.Index(2).AsString()
	number, ok[1] = v.Index(3).AsUint()
	p.tx, ok[2] = v.Index(4).AsUint()
	slot, ok[3] = v.Index(5).AsUint()
	p.collectionID, p.slot = uint32(number), uint32(slot)
	if ok != [4]bool{true, true, true, true} || number != uint64(p.collectionID) || slot != uint64(p.slot) || p.server == "" {
		return watchPlace{}, bad
	}
	return p, nil
}

// step holds a verified revision to stand behind the place, and steps to it.
func (p *watchPlace) step(what string, v *proof.Verified) error {
	if v.TxID < p.tx || v.TxID == p.tx && (p.slot == wholeTransaction || v.Slot <= p.slot) {
		return refusedf(what, "order", "slot %d of transaction %d does not stand behind what was reported before", v.Slot, v.TxID)
	}
	p.collectionID, p.tx, p.slot = v.CollectionID, v.TxID, v.Slot
	return nil
}

// rememberedRevisions is how many documents' last revisions a watch remembers: at
// most some 7 MB, with the longest ids.
const rememberedRevisions = 10_000

// revisions remembers the last revision seen of each document, so that a server
// cannot leave one out between two that it shows.
type revisions struct {
	last     *lru.Cache[string, seenRevision]
	complete bool // no document can have had a revision that is not remembered
}

type seenRevision struct {
	number   uint64
	manifest proof.Hash
}

// newRevisions remembers nothing. fromStart: the feed begins with the ledger.
func newRevisions(fromStart bool) *revisions {
	last, _ := lru.New[string, seenRevision](rememberedRevisions) // fails only for sizes below 1
	return &revisions{last: last, complete: fromStart}
}

func (r *revisions) forget(id value.Value) {
	r.last.Remove(string(canon.Encode(id)))
	r.complete = false
}

// follow holds a verified revision to follow the one before it of its document, as
// far as that is remembered, and remembers it.
func (r *revisions) follow(what string, v *proof.Verified) error {
	id := string(canon.Encode(v.ID))
	before, known := r.last.Get(id)
	switch {
	case !known && r.complete && v.Revision != 1:
		return refusedf(what, proof.CheckHistory, "revision %d comes without revision %d", v.Revision, v.Revision-1)
	case !known:
	case v.Revision != before.number+1:
		return refusedf(what, proof.CheckHistory, "revision %d comes behind revision %d", v.Revision, before.number)
	// One of zeros was written when the record before was truncated already.
	case v.Previous == nil || *v.Previous != before.manifest && *v.Previous != (proof.Hash{}):
		return refusedf(what, proof.CheckHistory, "revision %d does not continue revision %d", v.Revision, before.number)
	}
	if r.last.Add(id, seenRevision{v.Revision, v.ManifestHash}) {
		r.complete = false
	}
	return nil
}
