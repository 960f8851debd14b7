package proof

import (
	"fmt"
	"slices"
	"sort"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Revision is what a proof is made from: what the server stores of a revision.
type Revision struct {
	Manifest Manifest
	Seed     ptree.Seed
	Author   string
	Body     []byte // canonical CBOR of the document without _id; nil for a tombstone
}

// Location is where a revision's manifest is in its transaction.
type Location struct {
	Slot  uint32
	Entry []byte // full value of evidence entry Slot/16
	Path  []Hash // inclusion path of that entry in the transaction's entries
}

// Request says what a proof is to show: the whole document, or the values and
// absences of properties by their JSON Pointers, or, with neither, only that the
// revision exists.
type Request struct {
	WholeDocument bool
	Properties    []string
	Absent        []string
}

// NewDocumentProof makes the proof of a revision.
//
// Errors: [ErrRequest] for a request that no proof can answer,
// [ErrPropertyNotFound] and [ErrPropertyExists] with the pointer, [ErrCorrupted]
// when the stored facts contradict each other, so that the proof would be
// refused.
func NewDocumentProof(rev *Revision, at Location, req Request) (*DocumentProof, error) {
	if err := checkLocation(rev, at); err != nil {
		return nil, err
	}
	d, err := newDisclosure(rev, &req)
	if err != nil {
		return nil, err
	}
	return &DocumentProof{Slot: at.Slot, Entry: at.Entry, Path: at.Path, Manifest: rev.Manifest, Disclosure: *d}, nil
}

func checkLocation(rev *Revision, at Location) error {
	hashes, err := ParseEvidence(at.Entry)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupted, err)
	}
	if _, err := ParseManifest(rev.Manifest.Encode()); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupted, err)
	}
	j := int(at.Slot % EntryManifests)
	if at.Slot > maxSlot || j >= len(hashes) || hashes[j] != rev.Manifest.Hash() {
		return fmt.Errorf("%w: the evidence entry does not have the manifest at slot %d", ErrCorrupted, at.Slot)
	}
	return nil
}

func newDisclosure(rev *Revision, req *Request) (*Disclosure, error) {
	claims := len(req.Properties)+len(req.Absent) > 0
	switch {
	case req.WholeDocument && claims:
		return nil, fmt.Errorf("%w: either the whole document or single properties", ErrRequest)
	case req.WholeDocument:
		return newWhole(rev)
	case claims:
		return newClaims(rev, req)
	}
	return &Disclosure{}, nil
}

func newWhole(rev *Revision) (*Disclosure, error) {
	m := &rev.Manifest
	if (rev.Body == nil) != m.Tombstone() {
		return nil, fmt.Errorf("%w: operation %s, %d bytes of body", ErrCorrupted, m.Operation, len(rev.Body))
	}
	root, leaves, err := ptree.Root(rev.Body, rev.Seed, m.Mode)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupted, err)
	}
	if root != m.Root || leaves != m.Leaves {
		return nil, fmt.Errorf("%w: the body does not have the manifest's property root", ErrCorrupted)
	}
	if AuthorCommitment(rev.Seed, rev.Author) != m.Author {
		return nil, fmt.Errorf("%w: the author is not the manifest's", ErrCorrupted)
	}
	body := rev.Body
	if m.Tombstone() {
		body = tombstoneBody
	}
	return &Disclosure{Whole: &Whole{Seed: rev.Seed, Author: rev.Author, Body: body}}, nil
}

func newClaims(rev *Revision, req *Request) (*Disclosure, error) {
	m := &rev.Manifest
	switch {
	case m.Tombstone():
		return nil, fmt.Errorf("%w: revision %d deleted the document; ask for the whole-document proof", ErrRequest, m.Revision)
	case m.Mode != ptree.ModeProperty:
		return nil, fmt.Errorf("%w: collection %q has evidence for whole documents only", ErrRequest, m.Collection)
	}
	if err := checkPointers(req.Properties, req.Absent); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	tree, err := ptree.Build(rev.Body, rev.Seed, m.Mode)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupted, err)
	}
	if tree.Root() != m.Root || tree.Leaves() != m.Leaves {
		return nil, fmt.Errorf("%w: the body does not have the manifest's property root", ErrCorrupted)
	}
	b := &claimBuilder{tree: tree, witnesses: map[uint64]bool{}}
	if err := b.addProperties(req.Properties); err != nil {
		return nil, err
	}
	if err := b.addAbsences(req.Absent); err != nil {
		return nil, err
	}
	claims, err := b.finish()
	if err != nil {
		return nil, err
	}
	return &Disclosure{Claims: claims}, nil
}

// claimBuilder collects the claims of one disclosure.
type claimBuilder struct {
	tree      *ptree.Tree
	claims    Claims
	ends      []uint64        // index behind each claimed property, in order
	witnesses map[uint64]bool // leaves an absence needs; true = opened
}

func (b *claimBuilder) resolve(pointer string) (ptree.Place, error) {
	tokens, err := canon.ParsePointer(pointer)
	if err != nil {
		return ptree.Place{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return b.tree.Resolve(tokens), nil
}

func (b *claimBuilder) addProperties(pointers []string) error {
	for _, pointer := range pointers {
		at, err := b.resolve(pointer)
		if err != nil {
			return err
		}
		if !at.Exists {
			return fmt.Errorf("%w: %q", ErrPropertyNotFound, pointer)
		}
		leaf, _ := b.tree.Leaf(at.Index)
		val, err := b.tree.Subtree(at.Index)
		if err != nil {
			return fmt.Errorf("%w: the value at %q: %w", ErrCorrupted, pointer, err)
		}
		b.claims.Properties = append(b.claims.Properties, PropertyClaim{
			Path: leaf.Path, Index: leaf.Index, Value: val, Salts: b.tree.Salts(leaf.Index, leaf.End),
		})
	}
	props := b.claims.Properties
	sort.Slice(props, func(i, j int) bool { return props[i].Index < props[j].Index })
	for i := range props {
		end := props[i].Index + uint64(len(props[i].Salts))
		if i+1 < len(props) && props[i+1].Index < end {
			return fmt.Errorf("%w: %q is inside %q; ask for the outer one only", ErrRequest, props[i+1].Path.Pointer(), props[i].Path.Pointer())
		}
		b.ends = append(b.ends, end)
	}
	return nil
}

func (b *claimBuilder) addAbsences(pointers []string) error {
	for _, pointer := range pointers {
		at, err := b.resolve(pointer)
		if err != nil {
			return err
		}
		if at.Exists {
			return fmt.Errorf("%w: %q", ErrPropertyExists, pointer)
		}
		b.claims.Absences = append(b.claims.Absences, AbsenceClaim{Pointer: pointer, Ancestor: at.Ancestor, Left: at.Left})
		b.need(at.Ancestor, true)
		ancestor, _ := b.tree.Leaf(at.Ancestor)
		if kind, size, ok := ptree.ContainerHead(ancestor.Value); ok && kind == value.KindObject && size > 0 {
			b.need(at.Left, false)
			if at.Left+1 < b.tree.Leaves() {
				b.need(at.Left+1, false)
			}
		}
	}
	absences := b.claims.Absences
	sort.Slice(absences, func(i, j int) bool { return absences[i].Pointer < absences[j].Pointer })
	return nil
}

// need asks for a leaf that no claimed property shows already.
func (b *claimBuilder) need(index uint64, opened bool) {
	for i := range b.ends {
		if b.claims.Properties[i].Index <= index && index < b.ends[i] {
			return
		}
	}
	b.witnesses[index] = b.witnesses[index] || opened
}

func (b *claimBuilder) finish() (*Claims, error) {
	var known []uint64
	for i := range b.ends {
		for index := b.claims.Properties[i].Index; index < b.ends[i]; index++ {
			known = append(known, index)
		}
	}
	for index, opened := range b.witnesses {
		leaf, _ := b.tree.Leaf(index)
		w := Witness{Index: index, Path: leaf.Path}
		if opened {
			w.Value, w.Salt = leaf.Value, leaf.Salt
		} else {
			w.Commitment = leaf.Commitment
		}
		b.claims.Witnesses = append(b.claims.Witnesses, w)
		known = append(known, index)
	}
	witnesses := b.claims.Witnesses
	sort.Slice(witnesses, func(i, j int) bool { return witnesses[i].Index < witnesses[j].Index })
	slices.Sort(known)
	var err error
	if b.claims.Multiproof, err = b.tree.Multiproof(known); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupted, err)
	}
	return &b.claims, nil
}
