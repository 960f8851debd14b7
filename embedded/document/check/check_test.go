package check_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
)

func open(t *testing.T, dir string) *document.Engine {
	t.Helper()
	e, err := document.Open(dir, document.DefaultOptions().WithAuthor("jo"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func parse(t testing.TB, s string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(s))
	require.NoError(t, err)
	return v
}

// honest fills a folder with collections of all kinds and closes it.
func honest(t *testing.T, dir string) {
	t.Helper()
	ctx := context.Background()
	e := open(t, dir)
	for i, opts := range []document.CollectionOptions{
		{}, {Evidence: ptree.ModeDocument}, {Compress: true}, {AppendOnly: true},
	} {
		name := fmt.Sprintf("c%d", i)
		_, err := e.CreateCollection(ctx, name, opts)
		require.NoError(t, err)
		var docs []value.Value
		for n := range 40 {
			docs = append(docs, parse(t, fmt.Sprintf(`{"_id":%d,"n":%d,"tags":["a",{"b":null}],"text":"%0800d"}`, n, n, n)))
		}
		_, err = e.InsertMany(ctx, name, docs)
		require.NoError(t, err)
		if opts.AppendOnly {
			continue
		}
		for n := range 20 {
			_, err = e.Update(ctx, name, value.Int(int64(n)), parse(t, `{"n":null,"m":[1,2]}`))
			require.NoError(t, err)
		}
		_, err = e.Delete(ctx, name, value.Int(3))
		require.NoError(t, err)
		_, err = e.Insert(ctx, name, parse(t, `{"_id":3,"again":true}`))
		require.NoError(t, err)
	}
	_, err := e.DropCollection(ctx, "c2")
	require.NoError(t, err)
	require.NoError(t, e.RewriteCatalog(ctx))
	require.NoError(t, e.Close())
}

func TestHonestDatabase(t *testing.T) {
	dir := t.TempDir()
	honest(t, dir)
	e := open(t, dir)
	r, err := check.Run(context.Background(), e)
	require.NoError(t, err)
	require.Empty(t, r.Problems)
	require.True(t, r.OK())
	require.Equal(t, uint64(160), r.Documents)
	require.Equal(t, uint64(4*40+3*22), r.Revisions)
	require.Zero(t, r.Truncated)
}

// entry is a raw entry of a forged transaction.
type entry struct {
	key, value []byte
	deleted    bool
	indexable  bool
}

// forge appends a transaction that the sequencer would never write.
func forge(t *testing.T, dir string, entries ...entry) {
	t.Helper()
	st, err := store.Open(dir, store.DefaultOptions().WithMultiIndexing(true).WithMaxValueLen(32<<20).WithMaxTxEntries(2048))
	require.NoError(t, err)
	tx, err := st.NewWriteOnlyTx(context.Background())
	require.NoError(t, err)
	for _, e := range entries {
		md := store.NewKVMetadata()
		require.NoError(t, md.AsDeleted(e.deleted))
		require.NoError(t, md.AsNonIndexable(!e.indexable && keys.KindOf(e.key) == keys.KindEvidence))
		if len(md.Bytes()) == 0 {
			md = nil
		}
		require.NoError(t, tx.Set(e.key, md, e.value))
	}
	_, err = tx.AsyncCommit(context.Background())
	require.NoError(t, err)
	require.NoError(t, st.Close())
}

// revision makes the record of a body and its manifest's hash for collection 1.
func revision(t *testing.T, id int64, body string, change func(*record.Record)) (key []byte, r *record.Record, hash proof.Hash) {
	t.Helper()
	canonical := canon.Encode(parse(t, body))
	r = &record.Record{Operation: proof.Insert, Revision: 1, Seed: ptree.Seed{1}, Author: "eve", Body: record.PlainBody(canonical)}
	var err error
	r.Root, r.Leaves, err = ptree.Root(canonical, r.Seed, r.Mode)
	require.NoError(t, err)
	if change != nil {
		change(r)
	}
	key, err = keys.Document(1, value.Int(id))
	require.NoError(t, err)
	return key, r, r.Manifest(1, "c0", canon.Encode(value.Int(id))).Hash()
}

func evidence(i int, hashes ...proof.Hash) entry {
	return entry{key: proof.EvidenceKey(i), value: proof.EncodeEvidence(hashes)}
}

func TestForgedTransactions(t *testing.T) {
	one := func(t *testing.T, id int64, change func(*record.Record)) []entry {
		key, r, hash := revision(t, id, `{"a":1}`, change)
		return []entry{evidence(0, hash), {key: key, value: r.Encode(), deleted: r.IsTombstone()}}
	}
	for name, c := range map[string]struct {
		rule    check.Rule
		entries func(t *testing.T) []entry
	}{
		"an honest one": {"", func(t *testing.T) []entry { return one(t, 900, nil) }},
		"root not of the body": {check.Body, func(t *testing.T) []entry {
			return one(t, 900, func(r *record.Record) { r.Root[0] ^= 1 })
		}},
		"leaves not of the body": {check.Body, func(t *testing.T) []entry {
			return one(t, 900, func(r *record.Record) { r.Leaves++ })
		}},
		"body not canonical": {check.Body, func(t *testing.T) []entry {
			return one(t, 900, func(r *record.Record) { r.Body = record.PlainBody([]byte{0xa1, 0x61, 'a', 0x18, 0x01}) })
		}},
		"body not an object": {check.Body, func(t *testing.T) []entry {
			return one(t, 900, func(r *record.Record) { r.Body = record.PlainBody([]byte{0x01}) })
		}},
		"manifest of another revision": {check.Manifest, func(t *testing.T) []entry {
			entries := one(t, 900, nil)
			entries[0] = evidence(0, proof.Hash{9})
			return entries
		}},
		"no evidence": {check.Layout, func(t *testing.T) []entry { return one(t, 900, nil)[1:] }},
		"evidence of nothing": {check.Layout, func(t *testing.T) []entry {
			entries := one(t, 900, nil)
			_, r, hash := revision(t, 900, `{"a":1}`, nil)
			_ = r
			entries[0] = evidence(0, hash, proof.Hash{1})
			return entries
		}},
		"evidence behind the record": {check.Layout, func(t *testing.T) []entry {
			entries := one(t, 900, nil)
			return []entry{entries[1], entries[0]}
		}},
		"evidence that is indexed": {check.Layout, func(t *testing.T) []entry {
			entries := one(t, 900, nil)
			entries[0].indexable = true
			return entries
		}},
		"slot used twice": {check.Record, func(t *testing.T) []entry {
			a, b := one(t, 900, nil), one(t, 901, nil)
			_, _, h1 := revision(t, 900, `{"a":1}`, nil)
			_, _, h2 := revision(t, 901, `{"a":1}`, nil)
			return []entry{evidence(0, h1, h2), a[1], b[1]}
		}},
		"two manifests of one revision": {check.Chain, func(t *testing.T) []entry { return one(t, 5, nil) }},
		"a revision left out": {check.Chain, func(t *testing.T) []entry {
			return one(t, 30, func(r *record.Record) { r.Operation, r.Revision = proof.Replace, 3 })
		}},
		"previous not the manifest before": {check.Chain, func(t *testing.T) []entry {
			return one(t, 30, func(r *record.Record) { r.Operation, r.Revision = proof.Replace, 2 })
		}},
		"deletion of what never was": {check.Chain, func(t *testing.T) []entry {
			return one(t, 900, func(r *record.Record) {
				r.Operation, r.Body = proof.Delete, record.Body{}
				var err error
				r.Root, r.Leaves, err = ptree.Root(nil, r.Seed, r.Mode)
				require.NoError(t, err)
			})
		}},
		"deleted entry with a document": {check.Record, func(t *testing.T) []entry {
			entries := one(t, 900, nil)
			entries[1].deleted = true
			return entries
		}},
		"record of a newer format": {check.Record, func(t *testing.T) []entry {
			entries := one(t, 900, nil)
			entries[1].value[0] = 9
			return entries
		}},
		"unknown collection": {check.Catalog, func(t *testing.T) []entry {
			entries := one(t, 900, nil)
			key, err := keys.Document(77, value.Int(900))
			require.NoError(t, err)
			entries[1].key = key
			return entries
		}},
		"other evidence mode": {check.Catalog, func(t *testing.T) []entry {
			return one(t, 900, func(r *record.Record) {
				r.Mode = ptree.ModeDocument
				var err error
				body, err := r.Canonical()
				require.NoError(t, err)
				r.Root, r.Leaves, err = ptree.Root(body, r.Seed, r.Mode)
				require.NoError(t, err)
			})
		}},
		"definition that cannot be read": {check.Catalog, func(*testing.T) []entry {
			return []entry{{key: keys.Collection(3), value: []byte{1, 0xff}}}
		}},
		"unknown key": {check.Layout, func(*testing.T) []entry {
			return []entry{{key: []byte{keys.Prefix, 0x77}, value: []byte{1}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			honest(t, dir)
			forge(t, dir, c.entries(t)...)
			if name == "definition that cannot be read" {
				_, err := document.Open(dir, document.DefaultOptions())
				require.ErrorIs(t, err, document.ErrCorrupted) // it does not open at all
				return
			}
			e := open(t, dir)
			r, err := check.Run(context.Background(), e)
			require.NoError(t, err)
			if c.rule == "" {
				require.Empty(t, r.Problems)
				return
			}
			rules := map[check.Rule]bool{}
			for _, p := range r.Problems {
				rules[p.Rule] = true
			}
			require.Contains(t, rules, c.rule, "%v", r.Problems)
		})
	}
}

// TestForgedRules: revisions that the collection's rules do not allow.
func TestForgedRules(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		id   int64
		body string
		says string
	}{
		"an honest one":            {1, `{"a":2,"once":{"x":1}}`, ""},
		"schema":                   {2, `{"a":"x"}`, "revision 1: schema violation: /a: \"x\" is of type string, not integer (type)"},
		"size":                     {2, `{"text":"0123456789012345678901234567890123456789"}`, "revision 1: document too large for its collection"},
		"write-once":               {1, `{"a":2,"once":{"x":2}}`, "revision 2: write-once violation: /once"},
		"write-once over deletion": {3, `{"a":2}`, "revision 3: write-once violation: /once"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			e := open(t, dir)
			_, err := e.CreateCollection(ctx, "c0", document.CollectionOptions{Rules: document.Rules{WriteOnce: []string{"once"}}})
			require.NoError(t, err)
			last := map[int64]*document.Document{}
			for _, id := range []int64{1, 3} {
				last[id], err = e.Insert(ctx, "c0", parse(t, fmt.Sprintf(`{"_id":%d,"once":{"x":1}}`, id)))
				require.NoError(t, err)
			}
			last[3], err = e.Delete(ctx, "c0", value.Int(3))
			require.NoError(t, err)
			schema, size := parse(t, `{"properties":{"a":{"type":"integer"}}}`), 40
			_, err = e.AlterCollection(ctx, "c0", document.Alteration{Schema: &schema, MaxSize: &size})
			require.NoError(t, err)
			r, err := check.Run(ctx, e)
			require.NoError(t, err)
			require.Empty(t, r.Problems)
			previous := map[int64]proof.Hash{}
			for id, d := range last {
				shown, err := e.Evidence(ctx, d, proof.Request{WholeDocument: true})
				require.NoError(t, err)
				previous[id] = shown.Document.Manifest.Hash()
			}
			require.NoError(t, e.Close())

			key, rec, hash := revision(t, c.id, c.body, func(r *record.Record) {
				if d := last[c.id]; d != nil {
					r.Revision, r.Previous = d.Revision+1, previous[c.id]
					if !d.Deleted() {
						r.Operation = proof.Replace
					}
				}
			})
			forge(t, dir, evidence(0, hash), entry{key: key, value: rec.Encode()})
			r, err = check.Run(ctx, open(t, dir))
			require.NoError(t, err)
			if c.says == "" {
				require.Empty(t, r.Problems)
				return
			}
			require.Len(t, r.Problems, 1, "%v", r.Problems)
			require.Equal(t, check.Catalog, r.Problems[0].Rule)
			require.Contains(t, r.Problems[0].Detail, c.says)
		})
	}
}

func TestClosedEngine(t *testing.T) {
	e := open(t, t.TempDir())
	require.NoError(t, e.Close())
	_, err := check.Run(context.Background(), e)
	require.ErrorIs(t, err, document.ErrClosed)
}
