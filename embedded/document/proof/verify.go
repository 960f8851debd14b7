package proof

import (
	"bytes"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// VerifyDocument makes steps 4 to 9 of a verification: the evidence entry is in
// the transaction, the manifest is in the entry, the manifest is of what the
// caller expects, and what is disclosed has the manifest's property root.
//
// The sections of a proof do not name a database. Verified.Database repeats
// expect.Database, which must be the database whose state tx was verified
// against; [Evidence.Verify] takes care of that itself.
func VerifyDocument(dp *DocumentProof, tx *VerifiedTx, expect Expect) (*Verified, error) {
	if err := expect.check(); err != nil {
		return nil, err
	}
	if dp == nil || tx == nil {
		return nil, failf(CheckExpectation, "no proof")
	}
	m, err := dp.checkEntry(tx)
	if err != nil {
		return nil, err
	}
	if err := expect.checkClaims(m); err != nil {
		return nil, err
	}
	id, err := canon.Decode(m.ID)
	if err != nil {
		return nil, failErr(CheckManifest, "id", err)
	}
	v := &Verified{
		Database: expect.Database, Collection: m.Collection, CollectionID: m.CollectionID, ID: id,
		Revision: m.Revision, Operation: m.Operation, Tombstone: m.Tombstone(),
		TxID: tx.ID(), Time: tx.Time(), Slot: dp.Slot, Anchor: tx.Anchor(),
		ManifestHash: m.Hash(), Previous: m.Previous, Manifest: *m,
	}
	if err := v.disclose(m, &dp.Disclosure, &expect); err != nil {
		return nil, err
	}
	return v, nil
}

// disclose checks that the disclosure is of the expected kind, verifies it and
// sets what it shows.
func (v *Verified) disclose(m *Manifest, d *Disclosure, expect *Expect) error {
	wantClaims := len(expect.Properties)+len(expect.Absent) > 0
	switch {
	case d.Whole != nil && d.Claims != nil:
		return failf(CheckDisclosure, "both a whole document and properties")
	case expect.WholeDocument && d.Whole == nil:
		return failf(CheckDisclosure, "the proof does not show the whole document")
	case !expect.WholeDocument && d.Whole != nil:
		return failf(CheckDisclosure, "the proof shows a whole document that was not asked for")
	case wantClaims && d.Claims == nil:
		return failf(CheckDisclosure, "the proof does not show properties")
	case !wantClaims && d.Claims != nil:
		return failf(CheckDisclosure, "the proof shows properties that were not asked for")
	case d.Whole != nil:
		return v.discloseWhole(m, d.Whole)
	case d.Claims != nil:
		return v.discloseClaims(m, d.Claims, expect)
	}
	return nil
}

var tombstoneBody = []byte{cborNull}

// discloseWhole makes step 7 for the path "": the tree is rebuilt from the body.
func (v *Verified) discloseWhole(m *Manifest, w *Whole) error {
	if w.Body == nil {
		return failf(CheckBody, "the proof came without its document")
	}
	body := w.Body
	if m.Tombstone() {
		if !bytes.Equal(body, tombstoneBody) {
			return failf(CheckBody, "the revision is a tombstone, the disclosed document is not")
		}
		body = nil
	}
	root, leaves, err := ptree.Root(body, w.Seed, m.Mode)
	if err != nil {
		return failErr(CheckBody, "", err)
	}
	if leaves != m.Leaves {
		return failf(CheckRoot, "the document has %d leaves, the manifest says %d", leaves, m.Leaves)
	}
	if root != m.Root {
		return failf(CheckRoot, "the document does not have the manifest's property root")
	}
	if AuthorCommitment(w.Seed, w.Author) != m.Author {
		return failf(CheckAuthor, "the manifest names another author than %q", w.Author)
	}
	if !m.Tombstone() {
		document, err := canon.Decode(body)
		if err != nil {
			return failErr(CheckBody, "", err)
		}
		document = document.With(idKey, v.ID)
		v.Document = &document
	}
	author := w.Author
	v.Author = &author
	return nil
}

// discloseClaims makes steps 7 and 8 for properties and absences.
func (v *Verified) discloseClaims(m *Manifest, c *Claims, expect *Expect) error {
	if m.Tombstone() {
		return failf(CheckDisclosure, "revision %d deleted the document: only a whole-document proof can be made of it", m.Revision)
	}
	if m.Mode != ptree.ModeProperty {
		return failf(CheckDisclosure, "the revision has evidence for the whole document only")
	}
	s, err := c.show(m.Leaves)
	if err != nil {
		return err
	}
	if err := s.checkTree(); err != nil {
		return err
	}
	root, err := ptree.RootFromMultiproof(m.Leaves, s.known, c.Multiproof)
	if err != nil {
		return failErr(CheckRoot, "", err)
	}
	if root != m.Root {
		return failf(CheckRoot, "the leaves shown do not have the manifest's property root")
	}
	properties, err := c.properties()
	if err != nil {
		return err
	}
	if err := s.checkAbsences(c.Absences); err != nil {
		return err
	}
	return v.answer(properties, c.Absences, expect)
}

// properties decodes the claimed values, by their pointer.
func (c *Claims) properties() (map[string]Property, error) {
	out := make(map[string]Property, len(c.Properties))
	for i := range c.Properties {
		p := &c.Properties[i]
		val, err := canon.Decode(p.Value)
		if err != nil {
			return nil, failErr(CheckProperty, p.Path.Pointer(), err)
		}
		pointer := p.Path.Pointer()
		if _, twice := out[pointer]; twice {
			return nil, failf(CheckProperty, "%q is shown twice", pointer)
		}
		out[pointer] = Property{Pointer: pointer, Path: bytes.Clone(p.Path), Value: val}
	}
	return out, nil
}

// answer compares what was shown with what was asked for; both must be the same.
func (v *Verified) answer(properties map[string]Property, absences []AbsenceClaim, expect *Expect) error {
	for _, pointer := range expect.Properties {
		p, ok := properties[pointer]
		if !ok {
			return failf(CheckDisclosure, "the proof does not show %q", pointer)
		}
		v.Properties = append(v.Properties, p)
	}
	if len(properties) != len(expect.Properties) {
		return failf(CheckDisclosure, "the proof shows %d properties, %d were asked for", len(properties), len(expect.Properties))
	}
	absent := make(map[string]bool, len(absences))
	for i := range absences {
		absent[absences[i].Pointer] = true
	}
	for _, pointer := range expect.Absent {
		if !absent[pointer] {
			return failf(CheckDisclosure, "the proof does not show that %q is absent", pointer)
		}
		v.Absent = append(v.Absent, pointer)
	}
	if len(absences) != len(expect.Absent) {
		return failf(CheckDisclosure, "the proof shows %d absences, %d were asked for", len(absences), len(expect.Absent))
	}
	return nil
}

// valueKind says of which kind a node is, from its leaf value: an object or an
// array with its size, or a scalar.
func valueKind(leafValue []byte) (kind value.Kind, size uint64, err error) {
	if kind, size, ok := ptree.ContainerHead(leafValue); ok {
		return kind, size, nil
	}
	v, err := canon.Decode(leafValue)
	if err != nil {
		return 0, 0, err
	}
	if v.Kind().IsContainer() {
		return 0, 0, fmt.Errorf("a container's leaf value is its head only")
	}
	return v.Kind(), 0, nil
}
