package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// proofVector is an evidence file, what a caller asks, and the answer.
type proofVector struct {
	Name     string          `json:"name"`
	File     string          `json:"file"`
	Ask      askVector       `json:"ask"`
	Anchor   *anchorVector   `json:"anchor,omitempty"` // left out: none
	Sections *sectionsVector `json:"sections,omitempty"`
	Shows    *showsVector    `json:"shows,omitempty"`   // when it verifies
	Refused  string          `json:"refused,omitempty"` // else: the check that fails, or "unanchored"
}

type askVector struct {
	Database      string   `json:"database"`
	Collection    string   `json:"collection"`
	CollectionID  uint32   `json:"collectionId,omitempty"`
	ID            string   `json:"id"` // JSON
	Revision      uint64   `json:"revision,omitempty"`
	Operation     string   `json:"operation,omitempty"`
	WholeDocument bool     `json:"wholeDocument,omitempty"`
	Properties    []string `json:"properties,omitempty"`
	Absent        []string `json:"absent,omitempty"`
}

type anchorVector struct {
	Database  string   `json:"database,omitempty"`
	TxID      uint64   `json:"txId,omitempty"`
	Alh       hexBytes `json:"alh,omitempty"`
	PublicKey string   `json:"publicKey,omitempty"` // PEM; then the state is the one that the file has signed
}

type sectionsVector struct {
	Transaction hexBytes `json:"transaction"`
	Document    hexBytes `json:"document"`
}

type showsVector struct {
	TxID       uint64            `json:"txId"`
	Revision   uint64            `json:"revision"`
	Operation  string            `json:"operation"`
	Tombstone  bool              `json:"tombstone,omitempty"`
	Hash       hexBytes          `json:"hash"`
	Author     *string           `json:"author,omitempty"`
	Document   hexBytes          `json:"document,omitempty"`   // canonical CBOR with _id
	Properties map[string]string `json:"properties,omitempty"` // pointer: hex of canonical CBOR
	Absent     []string          `json:"absent,omitempty"`
}

func (a *askVector) expect(t *testing.T) Expect {
	x := Expect{
		Database: a.Database, Collection: a.Collection, CollectionID: a.CollectionID, ID: parseJSON(t, a.ID), Revision: a.Revision,
		WholeDocument: a.WholeDocument, Properties: a.Properties, Absent: a.Absent,
	}
	for op := Insert; op <= Delete; op++ {
		if op.String() == a.Operation {
			x.Operation = op
		}
	}
	return x
}

func (a *anchorVector) anchor(t *testing.T) Anchor {
	switch {
	case a == nil:
		return nil
	case a.PublicKey != "":
		block, _ := pem.Decode([]byte(a.PublicKey))
		require.NotNil(t, block)
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		require.NoError(t, err)
		return SignedState{PublicKey: key.(*ecdsa.PublicKey)}
	}
	require.Len(t, a.Alh, HashSize)
	return TrustedState{Database: a.Database, State: State{TxID: a.TxID, Alh: Hash(a.Alh)}}
}

func newShows(v *Verified) *showsVector {
	out := &showsVector{
		TxID: v.TxID, Revision: v.Revision, Operation: v.Operation.String(), Tombstone: v.Tombstone, Hash: hexHash(v.ManifestHash),
		Author: v.Author, Absent: v.Absent,
	}
	if v.Document != nil {
		out.Document = canon.Encode(*v.Document)
	}
	for _, p := range v.Properties {
		if out.Properties == nil {
			out.Properties = map[string]string{}
		}
		out.Properties[p.Pointer] = hex.EncodeToString(canon.Encode(p.Value))
	}
	return out
}

// answer runs a vector and fills in what it shows or the check that refuses it.
func (v *proofVector) answer(t *testing.T, file []byte) {
	e, err := Parse(file)
	var got *Verified
	if err == nil {
		got, err = e.Verify(v.Ask.expect(t), v.Anchor.anchor(t))
	}
	var ce *CheckError
	switch {
	case err == nil:
		v.Shows = newShows(got)
	case strings.Contains(err.Error(), ErrUnanchored.Error()):
		v.Refused = "unanchored"
	default:
		require.ErrorAs(t, err, &ce, v.Name)
		v.Refused = ce.Check
	}
}

// vectorKey signs the vectors; everybody knows it.
func vectorKey(t *testing.T) *ecdsa.PrivateKey {
	scalar := sha256.Sum256([]byte("immudoc test vector: signing key"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	require.NoError(t, err)
	return key
}

// vectorLedger has documents in transactions 1, 3 and 4 of 6; transaction 3 has
// 18 revisions, so that slots 15 and 16 are in different evidence entries.
func vectorLedger(t *testing.T) *ledger {
	l := newLedger(t, "defaultdb", 0)
	sample := sampleSpec()
	first := l.revision(t, sample)
	l.commit(t, first)
	l.commit(t)
	var many []*Revision
	for i := range 18 {
		s := spec{collection: "items", collectionID: 4, id: fmt.Sprint(i), body: fmt.Sprintf(`{"n":%d,"label":"item %d"}`, i, i), author: "bob"}
		if i == 16 {
			s.mode = ptree.ModeDocument
		}
		many = append(many, l.revision(t, s))
	}
	l.commit(t, many...)
	sample.op, sample.previous, sample.body = Update, first, `{"name":"Ada L.","10":"key","list":[0,1,2,3,4,5,6,7,8,9,10]}`
	second := l.revision(t, sample)
	sample.op, sample.previous, sample.body = Delete, second, ""
	l.commit(t, second, l.revision(t, sample))
	l.commit(t)
	l.commit(t)
	return l
}

func TestVectorsProofs(t *testing.T) {
	l := vectorLedger(t)
	key := vectorKey(t)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	publicKey := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	trusted := func(id uint64) *anchorVector {
		return &anchorVector{Database: l.database, TxID: id, Alh: hexHash(l.state(id).Alh)}
	}
	ada := func(req Request) askVector {
		return askVector{Database: "defaultdb", Collection: "people", ID: `"ada"`, WholeDocument: req.WholeDocument, Properties: req.Properties, Absent: req.Absent}
	}
	item := func(i int, req Request) askVector {
		a := ada(req)
		a.Collection, a.ID = "items", fmt.Sprint(i)
		return a
	}
	whole := Request{WholeDocument: true}
	mixed := Request{Properties: []string{"/address", "/age", "/tags/0"}, Absent: []string{"/address/country", "/tags/3", "/b"}}
	pointer := Request{Properties: []string{"/10", "/list/10"}, Absent: []string{"/list/11", "/list/01", "/list/-", "/zzzzzzz"}}
	var out []proofVector
	add := func(name, file string, tx uint64, slot int, anchor uint64, req Request, ask askVector, a *anchorVector) {
		e := l.evidence(t, tx, slot, anchor, req)
		digest := sha256.Sum256(StateBytes(l.database, l.state(anchor)))
		e.Signature, err = key.Sign(nil, digest[:], crypto.SHA256)
		require.NoError(t, err)
		data, err := e.Marshal()
		require.NoError(t, err)
		v := proofVector{Name: name, File: file + FileExtension, Ask: ask, Anchor: a}
		v.answer(t, data)
		if v.Shows != nil {
			v.Sections = &sectionsVector{e.Transaction.Marshal(), e.Document.Marshal()}
		}
		golden(t, filepath.Join("evidence", v.File), data)
		out = append(out, v)
	}
	add("whole document, T = 1 < N", "whole", 1, 0, 6, whole, ada(whole), trusted(6))
	add("whole document, T = N = 1", "whole-t1-n1", 1, 0, 1, whole, ada(whole), trusted(1))
	add("properties and absences", "mixed", 1, 0, 6, mixed, ada(mixed), trusted(6))
	add("the same by the server's signature", "mixed", 1, 0, 6, mixed, ada(mixed), &anchorVector{PublicKey: publicKey})
	add("only that the revision exists", "revision", 1, 0, 6, Request{}, ada(Request{}), trusted(6))
	add("10 as key and as index", "pointers", 4, 0, 6, pointer, ada(pointer), trusted(6))
	add("tombstone, T = N", "tombstone", 4, 1, 4, whole, ada(whole), trusted(4))
	one := Request{Properties: []string{"/n"}}
	add("slot 15", "slot15", 3, 15, 5, one, item(15, one), trusted(5))
	add("slot 16, document mode", "slot16", 3, 16, 5, whole, item(16, whole), trusted(5))
	add("slot 17", "slot17", 3, 17, 5, one, item(17, one), trusted(5))

	// The same files, refused.
	strict := ada(whole)
	strict.Operation = "insert"
	add("a deletion is not the inserted document", "tombstone", 4, 1, 4, whole, strict, trusted(4))
	add("unanchored", "whole", 1, 0, 6, whole, ada(whole), nil)
	add("another anchor transaction", "whole", 1, 0, 6, whole, ada(whole), trusted(5))
	wrong := trusted(6)
	wrong.Alh = hexHash(l.state(5).Alh)
	add("another hash", "whole", 1, 0, 6, whole, ada(whole), wrong)
	foreign := trusted(6)
	foreign.Database = "otherdb"
	add("state of another database", "whole", 1, 0, 6, whole, ada(whole), foreign)
	for check, change := range map[string]func(a *askVector){
		"database": func(a *askVector) { a.Database = "otherdb" }, "collection": func(a *askVector) { a.Collection = "drafts" },
		"collection id": func(a *askVector) { a.CollectionID = 4 }, "id": func(a *askVector) { a.ID = `"eve"` },
		"revision": func(a *askVector) { a.Revision = 2 }, "property": func(a *askVector) { a.Properties[0] = "/name" },
	} {
		a := ada(Request{Properties: append([]string{}, mixed.Properties...), Absent: mixed.Absent})
		change(&a)
		add("another "+check, "mixed", 1, 0, 6, mixed, a, trusted(6))
	}
	sortVectors(out)
	out = append(out, tampered(t, out)...)
	goldenJSON(t, "proofs.json", out)
}

func sortVectors(out []proofVector) {
	for i := range out { // the cases that come from a map, in a fixed order
		for j := i; j > 0 && out[j-1].Refused != "" && strings.HasPrefix(out[j-1].Name, "another ") &&
			strings.HasPrefix(out[j].Name, "another ") && out[j-1].Name > out[j].Name; j-- {
			out[j-1], out[j] = out[j], out[j-1]
		}
	}
}

// tampered makes files that were changed after they were written.
func tampered(t *testing.T, good []proofVector) []proofVector {
	var out []proofVector
	for _, c := range []struct {
		name, from string
		change     func(f *fileEvidence)
	}{
		{"salt", "mixed", func(f *fileEvidence) { f.Document.Claims.Properties[0].Salts[0] ^= 1 }},
		{"multiproof", "mixed", func(f *fileEvidence) { f.Document.Claims.Multiproof[0] ^= 1 }},
		{"multiproof-surplus", "mixed", func(f *fileEvidence) {
			f.Document.Claims.Multiproof = append(f.Document.Claims.Multiproof, make([]byte, 32)...)
		}},
		{"neighbour", "mixed", func(f *fileEvidence) { f.Document.Claims.Witnesses[0].Index++ }},
		{"absence", "mixed", func(f *fileEvidence) { f.Document.Claims.Absences[0].Left++ }},
		{"slot", "slot15", func(f *fileEvidence) { f.Document.Slot = 14 }},
		{"slot-of-another-entry", "slot15", func(f *fileEvidence) { f.Document.Slot = 31 }},
		{"entry", "slot15", func(f *fileEvidence) { f.Document.Entry[1] ^= 1 }},
		{"entry-path", "slot15", func(f *fileEvidence) { f.Document.Path[0] ^= 1 }},
		{"transaction-path", "whole", func(f *fileEvidence) { f.Transaction.Path[0] ^= 1 }},
		{"transaction-path-surplus", "whole", func(f *fileEvidence) { f.Transaction.Path = append(f.Transaction.Path, make([]byte, 32)...) }},
		{"header-version", "whole", func(f *fileEvidence) { f.Transaction.Header.Version = 0 }},
		{"seed", "whole", func(f *fileEvidence) { f.Document.Whole.Seed[0] ^= 1 }},
		{"author", "whole", func(f *fileEvidence) { f.Document.Whole.Author = "mallory" }},
		{"signature", "mixed", func(f *fileEvidence) { f.Anchor.Signature[8] ^= 1 }},
	} {
		data, err := os.ReadFile(filepath.Join(vectorDir, "evidence", c.from+FileExtension))
		require.NoError(t, err)
		var f fileEvidence
		require.NoError(t, json.Unmarshal(data, &f))
		c.change(&f)
		e, err := f.evidence()
		require.NoError(t, err)
		changed, err := e.Marshal()
		require.NoError(t, err)
		name := "tampered-" + c.name + FileExtension
		golden(t, filepath.Join("evidence", name), changed)
		for i := range good {
			if good[i].File == c.from+FileExtension && good[i].Shows != nil && (c.name != "signature" || good[i].Anchor.PublicKey != "") {
				v := proofVector{Name: "tampered: " + c.name, File: name, Ask: good[i].Ask, Anchor: good[i].Anchor}
				v.answer(t, changed)
				require.NotEmpty(t, v.Refused, c.name)
				out = append(out, v)
				break
			}
		}
	}
	return out
}

// The committed vectors, read as a stranger reads them.
func TestVectorsVerify(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(vectorDir, "proofs.json"))
	require.NoError(t, err)
	var vectors []proofVector
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.Greater(t, len(vectors), 30)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			require.NotEqual(t, v.Shows == nil, v.Refused == "")
			file, err := os.ReadFile(filepath.Join(vectorDir, "evidence", v.File))
			require.NoError(t, err)
			got := proofVector{Name: v.Name, Ask: v.Ask, Anchor: v.Anchor}
			got.answer(t, file)
			require.Equal(t, v.Refused, got.Refused)
			require.Equal(t, v.Shows, got.Shows)
			if v.Sections == nil {
				return
			}
			tp, err := ParseTransactionProof(v.Sections.Transaction)
			require.NoError(t, err)
			dp, err := ParseDocumentProof(v.Sections.Document)
			require.NoError(t, err)
			tx, err := VerifyTransaction(tp, tp.AnchorState())
			require.NoError(t, err)
			_, err = VerifyDocument(dp, tx, v.Ask.expect(t))
			require.NoError(t, err)
		})
	}
}
