package document_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func TestEvidenceFromARealLedger(t *testing.T) {
	ctx := context.Background()
	for _, mode := range []ptree.Mode{ptree.ModeProperty, ptree.ModeDocument} {
		t.Run(mode.String(), func(t *testing.T) {
			e := open(t, t.TempDir())
			_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{Evidence: mode, Compress: true})
			require.NoError(t, err)
			var docs []value.Value
			for i := range 1000 {
				docs = append(docs, parse(t, fmt.Sprintf(`{"_id":"d%d","amount":%d.5,"lines":[{"sku":"a"},{"sku":"b","n":%d}],"note":"confidential %d"}`, i, i, i, i)))
			}
			inserted, err := e.InsertMany(ctx, "c", docs)
			require.NoError(t, err)
			deleted, err := e.Delete(ctx, "c", value.String("d7"))
			require.NoError(t, err)

			state, err := e.State(ctx)
			require.NoError(t, err)
			anchor := proof.TrustedState{Database: e.Name(), State: state}
			for _, i := range []int{0, 15, 16, 17, 500, 998, 999} {
				d := inserted[i]
				expect := proof.Expect{Database: e.Name(), Collection: "c", ID: d.ID, Revision: 1, WholeDocument: true}
				ev := roundTrip(t, e, d, proof.Request{WholeDocument: true})
				v, err := ev.Verify(expect, anchor)
				require.NoError(t, err)
				want, err := d.Value()
				require.NoError(t, err)
				require.True(t, value.Equal(want, *v.Document))
				require.Equal(t, "jo", *v.Author)
				expect.ID = value.String("d3")
				_, err = ev.Verify(expect, anchor)
				require.Error(t, err)
			}
			tomb := roundTrip(t, e, deleted, proof.Request{WholeDocument: true})
			v, err := tomb.Verify(proof.Expect{Database: e.Name(), Collection: "c", ID: value.String("d7"), WholeDocument: true}, anchor)
			require.NoError(t, err)
			require.True(t, v.Tombstone)
			require.Equal(t, uint64(2), v.Revision)
			require.NotNil(t, v.Previous)

			parts := proof.Request{Properties: []string{"/amount", "/lines/1"}, Absent: []string{"/secret", "/lines/2", "/amount/x"}}
			d, err := e.Get(ctx, "c", value.String("d42"), document.Moment{})
			require.NoError(t, err)
			if mode == ptree.ModeDocument {
				_, err := e.Evidence(ctx, d, parts)
				require.ErrorIs(t, err, proof.ErrRequest)
				return
			}
			ev := roundTrip(t, e, d, parts)
			file, err := ev.Marshal()
			require.NoError(t, err)
			require.Less(t, len(file), 6<<10)
			require.NotContains(t, string(file), "confidential")
			v, err = ev.Verify(proof.Expect{
				Database: e.Name(), Collection: "c", ID: value.String("d42"),
				Properties: parts.Properties, Absent: parts.Absent,
			}, anchor)
			require.NoError(t, err)
			require.Equal(t, `42.5`, string(v.Properties[0].Value.AppendJSON(nil)))

			_, err = e.Evidence(ctx, d, proof.Request{Properties: []string{"/nothing"}})
			require.ErrorIs(t, err, proof.ErrPropertyNotFound)
			_, err = e.Evidence(ctx, d, proof.Request{Absent: []string{"/amount"}})
			require.ErrorIs(t, err, proof.ErrPropertyExists)
		})
	}
}

// roundTrip makes evidence and passes it through its file form.
func roundTrip(t *testing.T, e *document.Engine, d *document.Document, req proof.Request) *proof.Evidence {
	t.Helper()
	ev, err := e.Evidence(context.Background(), d, req)
	require.NoError(t, err)
	file, err := ev.Marshal()
	require.NoError(t, err)
	ev, err = proof.Parse(file)
	require.NoError(t, err)
	return ev
}

func TestTooManyPointers(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	d, err := e.Insert(ctx, "c", parse(t, `{"_id":1}`))
	require.NoError(t, err)
	absent := make([]string, document.MaxPointers+1)
	for i := range absent {
		absent[i] = fmt.Sprintf("/p%d", i)
	}
	_, err = e.Evidence(ctx, d, proof.Request{Absent: absent[1:]})
	require.NoError(t, err)
	_, err = e.Evidence(ctx, d, proof.Request{Absent: absent})
	require.ErrorIs(t, err, proof.ErrRequest)
	require.ErrorContains(t, err, "1024")
}
