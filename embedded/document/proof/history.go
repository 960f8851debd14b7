package proof

import "bytes"

// VerifyHistory checks the manifests of older revisions, newest first, against a
// verified revision: each is the one that the next points back to by its hash,
// down to as far as they go. They are returned parsed, in the same order.
//
// One verified revision thus proves everything that its ancestors' manifests say:
// operation, revision, property root. It does not show in which transaction they
// were written.
func VerifyHistory(newest *Verified, older [][]byte) ([]*Manifest, error) {
	if newest == nil {
		return nil, failf(CheckExpectation, "no verified revision")
	}
	out := make([]*Manifest, 0, len(older))
	next := &newest.Manifest
	for _, encoded := range older {
		if next.Previous == nil {
			return nil, failf(CheckHistory, "revision %d is the first one, %d manifests are surplus", next.Revision, len(older)-len(out))
		}
		m, err := ParseManifest(encoded)
		if err != nil {
			return nil, failErr(CheckManifest, "", err)
		}
		if m.Hash() != *next.Previous {
			return nil, failf(CheckHistory, "the manifest is not the one before revision %d", next.Revision)
		}
		if m.Revision != next.Revision-1 || m.CollectionID != next.CollectionID || !bytes.Equal(m.ID, next.ID) {
			return nil, failf(CheckHistory, "the manifest before revision %d is of revision %d or of another document", next.Revision, m.Revision)
		}
		out = append(out, m)
		next = m
	}
	return out, nil
}
