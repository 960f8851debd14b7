package sequencer

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/rules"
)

func schemaOf(t *testing.T, text string) *rules.Schema {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err)
	s, err := rules.NewSchema(v)
	require.NoError(t, err)
	return s
}

// TestRulesInARound: rules that change between the writes of one round, some of
// which were checked against those before.
func TestRulesInARound(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	alter := func(a catalog.Alteration) []*Op { return []*Op{{Collection: "c", Alter: &a}} }
	prepared := func(op *Op) []*Op {
		require.NoError(t, op.Prepare(coll, nil))
		return []*Op{op}
	}
	small, large := schemaOf(t, `{"properties":{"n":{"maximum":10}}}`), schemaOf(t, `{"properties":{"n":{"minimum":10}}}`)
	once, bytes := []string{"n"}, 5
	steps := []struct {
		ops []*Op
		err error
	}{
		{prepared(insert("c", "a", 50)), nil},
		{alter(catalog.Alteration{Schema: small}), nil},
		{prepared(insert("c", "b", 50)), rules.ErrSchema}, // it was checked against no schema
		{prepared(insert("c", "b", 5)), nil},
		{[]*Op{insert("c", "d", 5), insert("c", "e", 50)}, rules.ErrSchema},
		{[]*Op{insert("c", "d", 5), insert("c", "e", 7)}, nil},
		{[]*Op{updating("c", "a", "x", 1)}, rules.ErrSchema}, // what is there need not meet the schema, what is written must
		{[]*Op{updating("c", "a", "n", 10)}, nil},
		{alter(catalog.Alteration{Schema: large}), nil},
		{[]*Op{updating("c", "a", "x", 1)}, nil},
		{[]*Op{updating("c", "b", "x", 1)}, rules.ErrSchema},
		{[]*Op{remove("c", "b")}, nil},
		{alter(catalog.Alteration{Schema: rules.NoSchema, WriteOnce: &once}), nil},
		{[]*Op{insert("c", "b", 6)}, rules.ErrWriteOnce}, // the deletion is of this round
		{[]*Op{insert("c", "b", 5)}, nil},
		{[]*Op{updating("c", "d", "n", 6)}, rules.ErrWriteOnce},
		{[]*Op{remove("c", "d")}, nil},
		{[]*Op{insert("c", "old", 2)}, rules.ErrWriteOnce}, // the deletion was before it
		{[]*Op{insert("c", "old", 1)}, nil},
		{[]*Op{remove("c", "old")}, nil},
		{[]*Op{insert("c", "old", 2)}, rules.ErrWriteOnce},
		{alter(catalog.Alteration{MaxSize: &bytes}), nil},
		{[]*Op{updating("c", "e", "x", 1)}, rules.ErrTooLarge},
		{[]*Op{insert("c", "f", 5)}, nil}, // 4 bytes
		{alter(catalog.Alteration{MaxSize: new(int)}), nil},
		{[]*Op{updating("c", "e", "x", 1)}, nil},
	}
	f.do(insert("c", "old", 1))
	f.do(remove("c", "old"))
	held := f.hold()
	answers := make([]chan answer, len(steps))
	for i, step := range steps {
		answers[i] = f.queue(context.Background(), step.ops...)
	}
	f.release()
	require.NoError(t, f.receive(held).err)
	for i, step := range steps {
		a := f.receive(answers[i])
		if step.err == nil {
			require.NoError(t, a.err, "step %d", i)
			continue
		}
		require.ErrorIs(t, a.err, step.err, "step %d", i)
		require.ErrorAs(t, a.err, new(*OpError), "step %d", i)
	}
	require.Equal(t, uint64(4), f.newest(coll.ID, "old").Revision)
	require.Equal(t, proof.Delete, f.newest(coll.ID, "old").Operation)

	// Over rounds: the deletion is read from the view.
	_, err := f.s.Do(t.Context(), []*Op{insert("c", "d", 6)})
	require.ErrorIs(t, err, rules.ErrWriteOnce)
	f.do(insert("c", "d", 5))

	_, err = f.s.Do(t.Context(), alter(catalog.Alteration{WriteOnce: &[]string{"a..b"}}))
	require.ErrorIs(t, err, rules.ErrInvalid)
	_, err = f.s.Do(t.Context(), []*Op{{Collection: "nowhere", Alter: &catalog.Alteration{MaxSize: new(int)}}})
	require.ErrorIs(t, err, ErrCollectionNotFound)
}

// TestCheckedOnce: a write is not checked again while the rules are those that it
// was checked against.
func TestCheckedOnce(t *testing.T) {
	f := newFixture(t, nil)
	define := &catalog.Collection{Name: "c"}
	var err error
	define.Rules, err = rules.New(schemaOf(t, `{"properties":{"n":{"maximum":10}}}`), nil, 0)
	require.NoError(t, err)
	coll := f.do(&Op{Collection: "c", Define: define})[0].Collection
	op := insert("c", "a", 5)
	require.NoError(t, op.Prepare(coll, nil))
	op.prepared.Body = record.PlainBody(body(50)) // nobody does; it shows who looks
	f.do(op)
	f.do(&Op{Collection: "c", Alter: &catalog.Alteration{AppendOnly: new(bool)}}) // other rules, though they say the same
	op = insert("c", "b", 5)
	require.NoError(t, op.Prepare(coll, nil))
	op.prepared.Body = record.PlainBody(body(50))
	_, err = f.s.Do(t.Context(), []*Op{op})
	require.ErrorIs(t, err, rules.ErrSchema)
	require.Error(t, insert("c", "b", 50).Prepare(coll, nil))
}
