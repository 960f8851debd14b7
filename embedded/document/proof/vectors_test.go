package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

var update = flag.Bool("update", false, "write the test vectors")

const vectorDir = "testdata/vectors"

// golden compares what is generated with what is committed.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join(vectorDir, name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), string(got), "%s is not what the code makes; run the test with -update if that is meant", name)
}

func goldenJSON(t *testing.T, name string, v any) {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	require.NoError(t, enc.Encode(v))
	golden(t, name, out.Bytes())
}

// hexBytes is hexadecimal in the vectors.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func hexHash(h Hash) hexBytes { return h[:] }

func hexHashes(list []Hash) []hexBytes {
	out := []hexBytes{}
	for i := range list {
		out = append(out, list[i][:])
	}
	return out
}

type treeVector struct {
	Name     string       `json:"name"`
	Document string       `json:"document,omitempty"` // JSON without _id; left out for a tombstone
	Body     hexBytes     `json:"body,omitempty"`     // its canonical CBOR
	Seed     hexBytes     `json:"seed"`
	Mode     string       `json:"mode"`
	Leaves   uint64       `json:"leaves"`
	Shown    []leafVector `json:"shown"` // all leaves, or those at the ends and around 23/24 and 255/256
	Root     hexBytes     `json:"root"`
}

type leafVector struct {
	Index      uint64   `json:"index"`
	Pointer    string   `json:"pointer"`
	Path       hexBytes `json:"path"`
	Value      hexBytes `json:"value"`
	Salt       hexBytes `json:"salt"`
	Commitment hexBytes `json:"commitment"`
	Leaf       hexBytes `json:"leaf"`
}

func array(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat("0,", n), ",") + "]"
}

func vectorDocuments() [][2]string {
	text := func(n int) string { return strings.Repeat("k", n) }
	return [][2]string{
		{"worked example of ptree", `{"n":5,"tags":["x"]}`},
		{"empty object", `{}`},
		{"empty containers", `{"a":{},"b":[]}`},
		{"keys that pointers escape", `{"":1,"~":2,"/":3,"~1":4,"a/b":5}`},
		{"NUL and control characters", `{"\u0000":1,"a\u0000b":"\u0000\u001f"}`},
		{"NFC and NFD", `{"\u00e9":1,"e\u0301":2}`},
		{"10 as key and as index", `{"10":"key","list":["0","1","2","3","4","5","6","7","8","9","index"]}`},
		{"keys that are no indexes", `{"-":1,"01":2,"list":{"-":1,"01":2,"0":3}}`},
		{"pre-order is not text order", `{"a":{"b":1},"a-b":2,"ab":3,"b":4}`},
		{"keys of 23 and 24 bytes", `{"` + text(23) + `":1,"` + text(24) + `":2}`},
		{"keys of 255 and 256 bytes", `{"` + text(255) + `":1,"` + text(256) + `":2}`},
		{"values of 23, 24, 255 and 256 bytes", `{"a":"` + text(23) + `","b":"` + text(24) + `","c":"` + text(255) + `","d":"` + text(256) + `"}`},
		{"arrays of 23 and 24 elements", `{"a":` + array(23) + `,"b":` + array(24) + `}`},
		{"array of 257 elements", `{"a":` + array(257) + `}`},
		{"numbers", `{"one":1,"float":1.0,"zero":0,"minus zero":-0,"max":18446744073709551615,"min":-9223372036854775808,
			"third":0.1,"large":1e20,"decimal":1e400,"digits":{"$numberDecimal":"12.50"},"infinity":{"$numberDouble":"Infinity"}}`},
		{"other types", `{"null":null,"true":true,"false":false,"date":{"$date":"2024-02-29T12:00:00Z"},"nanos":{"$date":"2024-02-29T12:00:00.000000001Z"},
			"uuid":{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"},"bytes":{"$binary":{"base64":"AAEC","subType":"00"}}}`},
		{"nested", `{"a":[[],[{}],[{"b":[1,{"c":[2]}]}]]}`},
		{"_id inside", `{"a":{"_id":1}}`},
	}
}

func vectorSeed(name string) ptree.Seed {
	sum := sha256.Sum256([]byte("immudoc test vector: " + name))
	return ptree.Seed(sum[:ptree.SeedSize])
}

func newTreeVector(t *testing.T, name, document string, mode ptree.Mode) treeVector {
	v := treeVector{Name: name, Document: document, Mode: mode.String()}
	seed := vectorSeed(name)
	v.Seed = seed[:]
	if document != "" {
		v.Body = canon.Encode(parseJSON(t, document))
	}
	tree, err := ptree.Build(v.Body, seed, mode)
	require.NoError(t, err)
	v.Leaves, v.Root = tree.Leaves(), hexHash(tree.Root())
	for i := range tree.Leaves() {
		leaf, _ := tree.Leaf(i)
		tokens, err := leaf.Path.Tokens()
		require.NoError(t, err)
		if tree.Leaves() > 60 && i > 2 && i < tree.Leaves()-1 {
			if last := tokens[len(tokens)-1].Index; last != 23 && last != 24 && last != 255 {
				continue
			}
		}
		v.Shown = append(v.Shown, leafVector{
			Index: i, Pointer: leaf.Path.Pointer(), Path: hexBytes(leaf.Path), Value: hexBytes(leaf.Value), Salt: leaf.Salt[:],
			Commitment: hexHash(leaf.Commitment), Leaf: hexHash(ptree.LeafHash(leaf.Path, leaf.Commitment)),
		})
	}
	return v
}

func TestVectorsTrees(t *testing.T) {
	var out []treeVector
	for _, d := range vectorDocuments() {
		out = append(out, newTreeVector(t, d[0], d[1], ptree.ModeProperty))
	}
	out = append(out,
		newTreeVector(t, "document mode", `{"n":5,"tags":["x"]}`, ptree.ModeDocument),
		newTreeVector(t, "document mode, empty object", `{}`, ptree.ModeDocument),
		newTreeVector(t, "tombstone", "", ptree.ModeProperty),
		newTreeVector(t, "tombstone, document mode", "", ptree.ModeDocument),
	)
	goldenJSON(t, "trees.json", out)
}

type manifestVector struct {
	Name         string   `json:"name"`
	Mode         uint8    `json:"mode"`
	CollectionID uint32   `json:"collectionId"`
	Collection   string   `json:"collection"`
	ID           string   `json:"id"` // JSON
	Revision     uint64   `json:"revision"`
	Operation    uint8    `json:"operation"`
	Leaves       uint64   `json:"leaves"`
	Root         hexBytes `json:"root"`
	Previous     hexBytes `json:"previous,omitempty"`
	Seed         hexBytes `json:"seed"`
	Author       string   `json:"author"`
	AuthorHash   hexBytes `json:"authorHash"`
	Manifest     hexBytes `json:"manifest"`
	Hash         hexBytes `json:"hash"`
}

func TestVectorsManifests(t *testing.T) {
	var out []manifestVector
	previous := Hash{}
	for i, c := range []struct {
		name, id, document, author string
		mode                       ptree.Mode
		op                         Operation
	}{
		{"insert, text id", `"ada"`, `{"n":5,"tags":["x"]}`, "alice", ptree.ModeProperty, Insert},
		{"update, integer id", `7`, `{"n":6}`, "", ptree.ModeProperty, Update},
		{"replace, document mode, negative id", `-1`, `{"n":6}`, "bob", ptree.ModeDocument, Replace},
		{"delete, UUID", `{"$uuid":"018f3c5e-7b1a-7000-8000-000000000001"}`, ``, "carol \u00e9", ptree.ModeProperty, Delete},
		{"delete, document mode, largest id", `18446744073709551615`, ``, "dave", ptree.ModeDocument, Delete},
		{"insert again, bytes as id", `{"$binary":{"base64":"AP8=","subType":"00"}}`, `{}`, strings.Repeat("x", 24), ptree.ModeProperty, Insert},
	} {
		seed := vectorSeed(c.name)
		var body []byte
		if c.document != "" {
			body = canon.Encode(parseJSON(t, c.document))
		}
		root, leaves, err := ptree.Root(body, seed, c.mode)
		require.NoError(t, err)
		m := Manifest{
			Mode: c.mode, CollectionID: uint32(i*100 + 1), Collection: "people", ID: canon.Encode(parseJSON(t, c.id)),
			Revision: uint64(i) + 1, Operation: c.op, Leaves: leaves, Root: root, Author: AuthorCommitment(seed, c.author),
		}
		v := manifestVector{
			Name: c.name, Mode: uint8(m.Mode), CollectionID: m.CollectionID, Collection: m.Collection, ID: c.id, Revision: m.Revision,
			Operation: uint8(m.Operation), Leaves: leaves, Root: hexHash(root), Seed: seed[:], Author: c.author, AuthorHash: hexHash(m.Author),
		}
		if i > 0 {
			p := previous
			m.Previous, v.Previous = &p, hexHash(p)
		}
		_, err = ParseManifest(m.Encode())
		require.NoError(t, err)
		v.Manifest, v.Hash = m.Encode(), hexHash(m.Hash())
		previous = m.Hash()
		out = append(out, v)
	}
	goldenJSON(t, "manifests.json", out)
}

type entryVector struct {
	Name     string     `json:"name"`
	Slots    []int      `json:"slots"` // of the manifests in the entry
	Hashes   []hexBytes `json:"hashes"`
	Metadata hexBytes   `json:"metadata"`
	Key      hexBytes   `json:"key"`
	Value    hexBytes   `json:"value"`
	Digest   hexBytes   `json:"digest"`
	Leaf     hexBytes   `json:"leaf"`
}

type blindingVector struct {
	Seed  hexBytes `json:"seed"`
	Key   hexBytes `json:"key"`
	Value hexBytes `json:"value"`
}

func TestVectorsEntries(t *testing.T) {
	var hashes []Hash
	for i := range 18 {
		hashes = append(hashes, sha256.Sum256(fmt.Appendf(nil, "manifest %d", i)))
	}
	var out struct {
		Evidence      []entryVector    `json:"evidence"`
		IndexBlinding []blindingVector `json:"indexBlinding"`
	}
	for _, c := range []struct {
		name       string
		index      int
		from, upto int
	}{{"one revision", 0, 0, 1}, {"slots 0 to 15", 0, 0, 16}, {"slots 16 and 17", 1, 16, 18}, {"entry 258", 258, 0, 2}} {
		v := entryVector{Name: c.name, Hashes: hexHashes(hashes[c.from:c.upto]), Metadata: []byte(EvidenceMetadata), Key: EvidenceKey(c.index)}
		for j := range c.upto - c.from {
			v.Slots = append(v.Slots, c.index*EntryManifests+j)
		}
		v.Value = EncodeEvidence(hashes[c.from:c.upto])
		digest := EntryDigest(v.Metadata, v.Key, v.Value)
		v.Digest, v.Leaf = hexHash(digest), hexHash(leafHash(digest))
		out.Evidence = append(out.Evidence, v)
	}
	for _, key := range [][]byte{{}, {0x10, 0x02, 0x01}, bytes.Repeat([]byte{0xAB}, 100)} {
		seed := vectorSeed("index")
		out.IndexBlinding = append(out.IndexBlinding, blindingVector{seed[:], key, IndexEntryValue(seed, key)})
	}
	goldenJSON(t, "entries.json", out)
}

type headerVector struct {
	ID       uint64   `json:"id"`
	PrevAlh  hexBytes `json:"prevAlh"`
	Ts       int64    `json:"ts"`
	Version  int      `json:"version"`
	Metadata hexBytes `json:"metadata,omitempty"`
	NEntries int      `json:"nentries"`
	Eh       hexBytes `json:"eh"`
	BlTxID   uint64   `json:"blTxId"`
	BlRoot   hexBytes `json:"blRoot"`
	Alh      hexBytes `json:"alh"`
	LogLeaf  hexBytes `json:"logLeaf"`
	LogRoot  hexBytes `json:"logRoot"` // of transactions 1 to this one
}

type logProofVector struct {
	From        uint64     `json:"from"`
	To          uint64     `json:"to"`
	Inclusion   []hexBytes `json:"inclusion"`   // of transaction from in the tree of header to
	Consistency []hexBytes `json:"consistency"` // of the trees of the two headers
	Section     hexBytes   `json:"section"`     // the state proof in CBOR
}

func TestVectorsLog(t *testing.T) {
	var out struct {
		Headers []headerVector   `json:"headers"`
		Proofs  []logProofVector `json:"proofs"`
	}
	l := newLedger(t, "defaultdb", 4)
	withMetadata := &ledgerTx{}
	withMetadata.entries.add(t, EntryDigest(nil, []byte("key"), []byte("value")))
	l.append(t, withMetadata)
	h := &l.txs[4].header
	h.Metadata = []byte{0x01, 0x00, 0x02, 0xCA, 0xFE}
	l.txs[4].alh = h.Alh()
	l.log = hashLog{}
	for _, tx := range l.txs {
		l.log.add(t, tx.alh)
	}
	for range 4 {
		l.commit(t)
	}
	for i, tx := range l.txs {
		var path []Hash
		if i > 0 {
			path = l.log.inclusion(t, uint64(i), uint64(i)-1)
		}
		root, err := LogRoot(&tx.header, tx.header.PrevAlh, path)
		require.NoError(t, err)
		require.Equal(t, l.log.root(t, uint64(i)+1), root)
		x := &tx.header
		out.Headers = append(out.Headers, headerVector{
			x.ID, hexHash(x.PrevAlh), x.Ts, x.Version, x.Metadata, x.NEntries, hexHash(x.Eh), x.BlTxID, hexHash(x.BlRoot),
			hexHash(tx.alh), hexHash(LogLeaf(tx.alh)), hexHash(root),
		})
	}
	for _, pair := range [][2]uint64{{1, 1}, {1, 2}, {1, 9}, {2, 3}, {2, 9}, {3, 9}, {5, 9}, {6, 8}, {8, 9}} {
		sp := l.stateProof(t, pair[0], pair[1])
		out.Proofs = append(out.Proofs, logProofVector{pair[0], pair[1], hexHashes(sp.Inclusion), hexHashes(sp.Consistency), sp.Marshal()})
	}
	goldenJSON(t, "log.json", out)
}
