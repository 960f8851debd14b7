package proof

import (
	"bytes"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// maxSlot is the last slot of a transaction.
const maxSlot = MaxEvidenceEntries*EntryManifests - 1

// DocumentProof shows that a revision of a document was written by a given
// transaction, and shows as much of the revision as its disclosure does.
type DocumentProof struct {
	Slot       uint32 // place of the revision among the revisions of its transaction, from 0
	Entry      []byte // full value of the evidence entry Slot/16
	Path       []Hash // RFC 6962 inclusion of that entry in the transaction's entries
	Manifest   Manifest
	Disclosure Disclosure
}

// Disclosure is what a proof shows of a revision. At most one field is set; with
// neither, the proof shows only the manifest: that there is such a revision.
type Disclosure struct {
	Whole  *Whole
	Claims *Claims
}

// The kinds of a disclosure as they are encoded.
const (
	kindRevision = 0
	kindWhole    = 1
	kindClaims   = 2
)

// Whole discloses everything of a revision. In either evidence mode it is the
// proof of the path "".
type Whole struct {
	Seed   ptree.Seed
	Author string

	// Body is the canonical CBOR of the document without _id; of a tombstone it
	// is F6. A proof that travels beside its document may leave Body nil, for the
	// receiver to set before it verifies.
	Body []byte
}

// Claims discloses some properties of a revision, absences, or both, which share
// one multiproof.
type Claims struct {
	Properties []PropertyClaim // ascending by Index
	Witnesses  []Witness       // ascending by Index: leaves shown for the absences only
	Absences   []AbsenceClaim  // ascending by Pointer
	Multiproof []Hash          // roots of the maximal subtrees without a shown leaf, left to right
}

// PropertyClaim discloses a property with everything inside it.
type PropertyClaim struct {
	Path  canon.Path
	Index uint64       // of the property's leaf; the leaves inside it follow
	Value []byte       // canonical CBOR
	Salts []ptree.Salt // of these leaves, in order
}

// Witness is a leaf that an absence needs. It is opened when its value matters
// (the ancestor), and closed when only its place does (a neighbour): then its
// path becomes known and its value does not.
type Witness struct {
	Index uint64
	Path  canon.Path

	Value []byte     // leaf value of an opened witness, else nil
	Salt  ptree.Salt // of an opened witness

	Commitment Hash // of a closed witness
}

// AbsenceClaim says that a pointer leads nowhere. Ancestor is the index of the
// deepest node on its way that exists. If that is a map with members, Left and
// Left+1 are the leaves between which the missing member would stand, or Left is
// the last leaf; otherwise Left equals Ancestor.
type AbsenceClaim struct {
	Pointer  string
	Ancestor uint64
	Left     uint64
}

// Marshal returns the section's canonical CBOR:
// [1, slot, entry, path, manifest, disclosure], where disclosure is one of
//
//	[0]
//	[1, seed, author, body or null]
//	[2, properties, witnesses, absences, multiproof]
//
// with properties [path, index, value, salts], opened witnesses
// [index, path, value, salt], closed witnesses [index, path, commitment] and
// absences [pointer, ancestor, left]. Lists of hashes and of salts are one byte
// string each.
func (dp *DocumentProof) Marshal() []byte {
	dst := make([]byte, 0, 512+len(dp.Entry)+len(dp.Path)*HashSize)
	dst = appendArray(dst, 6)
	dst = canon.AppendUint(dst, sectionVersion)
	dst = canon.AppendUint(dst, uint64(dp.Slot))
	dst = canon.AppendBytes(dst, dp.Entry)
	dst = appendHashes(dst, dp.Path)
	dst = canon.AppendBytes(dst, dp.Manifest.Encode())
	return dp.Disclosure.append(dst)
}

func (d *Disclosure) append(dst []byte) []byte {
	switch {
	case d.Whole != nil:
		dst = canon.AppendUint(appendArray(dst, 4), kindWhole)
		dst = canon.AppendBytes(dst, d.Whole.Seed[:])
		dst = canon.AppendText(dst, d.Whole.Author)
		if d.Whole.Body == nil {
			return canon.AppendNull(dst)
		}
		return canon.AppendBytes(dst, d.Whole.Body)
	case d.Claims != nil:
		return d.Claims.append(canon.AppendUint(appendArray(dst, 5), kindClaims))
	}
	return canon.AppendUint(appendArray(dst, 1), kindRevision)
}

func (c *Claims) append(dst []byte) []byte {
	dst = appendArray(dst, len(c.Properties))
	for i := range c.Properties {
		p := &c.Properties[i]
		dst = canon.AppendBytes(appendArray(dst, 4), p.Path)
		dst = canon.AppendUint(dst, p.Index)
		dst = canon.AppendBytes(dst, p.Value)
		dst = canon.AppendBytes(dst, joinSalts(p.Salts))
	}
	dst = appendArray(dst, len(c.Witnesses))
	for i := range c.Witnesses {
		w := &c.Witnesses[i]
		if w.Value != nil {
			dst = canon.AppendUint(appendArray(dst, 4), w.Index)
			dst = canon.AppendBytes(dst, w.Path)
			dst = canon.AppendBytes(dst, w.Value)
			dst = canon.AppendBytes(dst, w.Salt[:])
		} else {
			dst = canon.AppendUint(appendArray(dst, 3), w.Index)
			dst = canon.AppendBytes(dst, w.Path)
			dst = canon.AppendBytes(dst, w.Commitment[:])
		}
	}
	dst = appendArray(dst, len(c.Absences))
	for i := range c.Absences {
		a := &c.Absences[i]
		dst = canon.AppendText(appendArray(dst, 3), a.Pointer)
		dst = canon.AppendUint(dst, a.Ancestor)
		dst = canon.AppendUint(dst, a.Left)
	}
	return appendHashes(dst, c.Multiproof)
}

// ParseDocumentProof is the strict inverse of [DocumentProof.Marshal].
func ParseDocumentProof(b []byte) (*DocumentProof, error) {
	r := &reader{b: b, what: "document proof"}
	var dp DocumentProof
	r.section(6)
	dp.Slot = uint32(r.uintMax(maxSlot, "slot"))
	dp.Entry = r.bytes()
	dp.Path = r.hashes()
	manifest := r.bytes()
	dp.Disclosure = r.disclosure()
	if err := r.done(); err != nil {
		return nil, failErr(CheckSection, "", err)
	}
	m, err := ParseManifest(manifest)
	if err != nil {
		return nil, failErr(CheckManifest, "", err)
	}
	dp.Manifest = *m
	return &dp, nil
}

func (r *reader) disclosure() (d Disclosure) {
	n := r.list("disclosure")
	kind := r.uint()
	switch {
	case r.err != nil:
	case kind == kindRevision && n == 1:
	case kind == kindWhole && n == 4:
		d.Whole = &Whole{}
		r.fixed(d.Whole.Seed[:])
		d.Whole.Author = r.text()
		if !r.isNull() {
			d.Whole.Body = r.bytes()
		}
	case kind == kindClaims && n == 5:
		d.Claims = r.claims()
	default:
		r.fail("disclosure of kind %d with %d elements", kind, n)
	}
	return d
}

func (r *reader) claims() *Claims {
	var c Claims
	for range r.list("list of properties") {
		r.array(4, "property")
		p := PropertyClaim{Path: r.path()}
		p.Index = r.uint()
		p.Value = r.bytes()
		p.Salts = r.salts()
		c.Properties = append(c.Properties, p)
	}
	for range r.list("list of witnesses") {
		n := r.list("witness")
		w := Witness{Index: r.uint(), Path: r.path()}
		switch {
		case r.err != nil:
		case n == 3:
			w.Commitment = r.hash()
		case n == 4:
			w.Value = r.bytes()
			r.fixed(w.Salt[:])
		default:
			r.fail("witness has %d elements, want 3 or 4", n)
		}
		c.Witnesses = append(c.Witnesses, w)
	}
	for range r.list("list of absences") {
		r.array(3, "absence")
		c.Absences = append(c.Absences, AbsenceClaim{Pointer: r.text(), Ancestor: r.uint(), Left: r.uint()})
	}
	c.Multiproof = r.hashes()
	return &c
}

func (r *reader) path() canon.Path {
	raw := r.bytes()
	if r.err != nil {
		return nil
	}
	p, err := canon.ParsePath(raw)
	if err != nil {
		r.fail("%v", err)
	}
	return p
}

func joinSalts(salts []ptree.Salt) []byte {
	out := make([]byte, 0, len(salts)*ptree.SaltSize)
	for i := range salts {
		out = append(out, salts[i][:]...)
	}
	return out
}

// checkEntry makes steps 4 and 5 of a verification: the evidence entry is in the
// transaction, and the manifest is the item of the entry that the slot names. It
// returns the manifest as it was parsed from the bytes that were hashed.
func (dp *DocumentProof) checkEntry(tx *VerifiedTx) (*Manifest, error) {
	if dp.Slot > maxSlot {
		return nil, failf(CheckSlot, "slot %d, the last one possible is %d", dp.Slot, maxSlot)
	}
	hashes, err := ParseEvidence(dp.Entry)
	if err != nil {
		return nil, failErr(CheckEntry, "", err)
	}
	i, j := int(dp.Slot/EntryManifests), int(dp.Slot%EntryManifests)
	digest := EntryDigest([]byte(EvidenceMetadata), EvidenceKey(i), dp.Entry)
	if err := checkInclusion(dp.Path, uint64(tx.header.NEntries), tx.header.Eh, uint64(i), leafHash(digest)); err != nil {
		return nil, failErr(CheckEntryInclusion, fmt.Sprintf("entry %d of transaction %d", i, tx.header.ID), err)
	}
	encoded := dp.Manifest.Encode()
	m, err := ParseManifest(encoded)
	if err != nil {
		return nil, failErr(CheckManifest, "", err)
	}
	if j >= len(hashes) {
		return nil, failf(CheckSlot, "slot %d is item %d of an entry of %d", dp.Slot, j, len(hashes))
	}
	if m.Hash() != hashes[j] {
		return nil, failf(CheckSlot, "the manifest is not the one at slot %d", dp.Slot)
	}
	return m, nil
}

// AttachBody returns a copy of a whole-document proof that travelled without its
// body, with the body set. It changes nothing in other proofs.
func (dp *DocumentProof) AttachBody(body []byte) *DocumentProof {
	out := *dp
	if dp.Disclosure.Whole != nil && dp.Disclosure.Whole.Body == nil {
		whole := *dp.Disclosure.Whole
		whole.Body = bytes.Clone(body)
		out.Disclosure.Whole = &whole
	}
	return &out
}

// DetachBody returns a copy of a whole-document proof without its body, for a
// receiver that has the document from elsewhere. It changes nothing in other
// proofs.
func (dp *DocumentProof) DetachBody() *DocumentProof {
	out := *dp
	if dp.Disclosure.Whole != nil {
		whole := *dp.Disclosure.Whole
		whole.Body = nil
		out.Disclosure.Whole = &whole
	}
	return &out
}
