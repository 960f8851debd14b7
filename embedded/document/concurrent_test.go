package document_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// call is one operation on one document, as a client saw it.
type call struct {
	doc        int
	operation  proof.Operation // 0: read
	ifRevision uint64          // 0: none
	n          int             // what it writes
}

type outcome struct {
	revision uint64 // of the document read or written
	n        int
	err      error // nil, or one of the refusals below
}

// document as the sequential model has it.
type docState struct {
	revision uint64
	exists   bool
	n        int
}

// sequential is what a database does that works on one request at a time.
var sequential = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byDoc := map[int][]porcupine.Operation{}
		for _, op := range history {
			doc := op.Input.(call).doc
			byDoc[doc] = append(byDoc[doc], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byDoc {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return docState{} },
	Step: func(state, input, output any) (bool, any) {
		before, in, out := state.(docState), input.(call), output.(outcome)
		want, after := before.apply(in)
		return errors.Is(out.err, want.err) && (out.err != nil || out == want), after
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(call), output.(outcome)
		return fmt.Sprintf("%v %d if %d n=%d: r%d n=%d %v", in.operation, in.doc, in.ifRevision, in.n, out.revision, out.n, out.err)
	},
}

func (s docState) apply(in call) (outcome, docState) {
	conflict := in.ifRevision != 0 && in.ifRevision != s.revision
	refuse := func(err error) (outcome, docState) { return outcome{err: err}, s }
	write := func(exists bool) (outcome, docState) {
		s = docState{s.revision + 1, exists, in.n}
		return outcome{revision: s.revision, n: in.n}, s
	}
	switch {
	case in.operation == 0 && s.exists:
		return outcome{revision: s.revision, n: s.n}, s
	case in.operation == 0:
		return refuse(document.ErrNotFound)
	case in.operation == proof.Insert && s.exists:
		return refuse(document.ErrDuplicateID)
	case conflict:
		return refuse(document.ErrRevisionConflict)
	case in.operation != proof.Insert && !s.exists:
		return refuse(document.ErrNotFound)
	default:
		return write(in.operation != proof.Delete)
	}
}

func do(e *document.Engine, in call) (out outcome, _ error) {
	ctx := context.Background()
	id := value.Int(int64(in.doc))
	n, _ := value.Object([]value.Member{{Key: "n", Value: value.Int(int64(in.n))}})
	var d *document.Document
	var err error
	if in.operation == 0 {
		d, err = e.Get(ctx, "c", id, document.Moment{})
	} else {
		op := document.Op{Operation: in.operation, Collection: "c", ID: id, Document: n, Patch: n}
		if in.ifRevision != 0 {
			op.IfRevision = &in.ifRevision
		}
		var docs []*document.Document
		if docs, err = e.Apply(ctx, []document.Op{op}); err == nil {
			d = docs[0]
		}
	}
	for _, refusal := range []error{document.ErrNotFound, document.ErrDuplicateID, document.ErrRevisionConflict} {
		if errors.Is(err, refusal) {
			return outcome{err: refusal}, nil
		}
	}
	if err != nil {
		return out, err
	}
	out = outcome{revision: d.Revision, n: in.n}
	if in.operation == 0 {
		doc, err := d.Value()
		if err != nil {
			return out, err
		}
		member, _ := doc.Get("n")
		n, _ := member.AsInt()
		out.n = int(n)
	}
	return out, nil
}

// TestLinearizable: whatever concurrent clients see, they could have seen from a
// database that works on one request at a time, in an order that agrees with
// the clock. Views are renewed all the while, by a tiny overlay.
func TestLinearizable(t *testing.T) {
	rnd := seeded(t)
	e := openSmall(t, t.TempDir())
	defer closeSound(t, e)
	_, err := e.CreateCollection(context.Background(), "c", document.CollectionOptions{})
	require.NoError(t, err)
	const clients, calls, docs = 8, 150, 4
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	start := time.Now()
	failed := make(chan error, clients)
	for c := range clients {
		rng := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		wg.Go(func() {
			seen := make([]uint64, docs)
			for i := range calls {
				in := call{doc: rng.IntN(docs), operation: proof.Operation(rng.IntN(5)), n: c*calls + i}
				if in.operation == proof.Delete && rng.IntN(2) == 0 {
					in.operation = 0
				}
				if in.operation != 0 && rng.IntN(3) == 0 {
					in.ifRevision = seen[in.doc]
				}
				called := time.Since(start).Nanoseconds()
				out, err := do(e, in)
				if err != nil {
					failed <- err
					return
				}
				returned := time.Since(start).Nanoseconds()
				seen[in.doc] = max(seen[in.doc], out.revision)
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: c, Input: in, Call: called, Output: out, Return: returned})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	require.Len(t, history, clients*calls)
	result, _ := porcupine.CheckOperationsVerbose(sequential, history, time.Minute)
	require.Equal(t, porcupine.Ok, result)
}

// TestSumsStayConstant moves amounts between documents in transactions of two
// while readers add all of them up, now and as of the past.
func TestSumsStayConstant(t *testing.T) {
	ctx := context.Background()
	rnd := seeded(t)
	e := openSmall(t, t.TempDir())
	defer closeSound(t, e)
	_, err := e.CreateCollection(ctx, "accounts", document.CollectionOptions{})
	require.NoError(t, err)
	const accounts, amount = 10, 100
	balance := func(n int64) value.Value {
		v, err := value.Object([]value.Member{{Key: "n", Value: value.Int(n)}})
		require.NoError(t, err)
		return v
	}
	var docs []value.Value
	for i := range accounts {
		docs = append(docs, balance(amount).With("_id", value.Int(int64(i))))
	}
	inserted, err := e.InsertMany(ctx, "accounts", docs)
	require.NoError(t, err)
	since := inserted[0].Tx

	sum := func(at document.Moment) (total int64, err error) {
		for d, err := range e.Find(ctx, "accounts", at, document.QueryOptions{Desc: at.Tx%2 == 1}) {
			if err != nil {
				return 0, err
			}
			v, err := d.Value()
			if err != nil {
				return 0, err
			}
			n, _ := v.Get("n")
			i, _ := n.AsInt()
			total += i
		}
		return total, nil
	}
	stop := make(chan struct{})
	results := make(chan error, 8)
	var readers, writers sync.WaitGroup
	for r := range 2 {
		rng := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				at := document.Moment{}
				if r == 1 {
					state, err := e.State(ctx)
					if err != nil {
						results <- err
						return
					}
					at.Tx = since + rng.Uint64N(state.TxID-since+1)
				}
				if total, err := sum(at); err != nil || total != accounts*amount {
					results <- fmt.Errorf("sum %d at %+v: %w", total, at, err)
					return
				}
			}
		})
	}
	for range 4 {
		rng := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		writers.Go(func() {
			for moved := 0; moved < 40; {
				from, to, n := rng.Int64N(accounts), rng.Int64N(accounts), rng.Int64N(amount)
				if from == to {
					continue
				}
				if ok, err := move(ctx, e, from, to, n); err != nil {
					results <- err
					return
				} else if ok {
					moved++
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	close(results)
	for err := range results {
		require.NoError(t, err)
	}
}

// move takes n from one account and gives it to another, unless one of them was
// changed meanwhile.
func move(ctx context.Context, e *document.Engine, from, to, n int64) (bool, error) {
	var ops []document.Op
	for i, id := range []int64{from, to} {
		d, err := e.Get(ctx, "accounts", value.Int(id), document.Moment{})
		if err != nil {
			return false, err
		}
		doc, err := d.Value()
		if err != nil {
			return false, err
		}
		member, _ := doc.Get("n")
		now, _ := member.AsInt()
		change := []int64{-n, n}[i]
		patch, err := value.Object([]value.Member{{Key: "n", Value: value.Int(now + change)}})
		if err != nil {
			return false, err
		}
		ops = append(ops, document.Op{
			Operation: proof.Update, Collection: "accounts", ID: value.Int(id), Patch: patch, IfRevision: &d.Revision,
		})
	}
	_, err := e.Apply(ctx, ops)
	if errors.Is(err, document.ErrRevisionConflict) {
		return false, nil
	}
	return err == nil, err
}

// TestOwnWritesAreSeen: every client sees its own write in its next read, however
// it reads, while others write too.
func TestOwnWritesAreSeen(t *testing.T) {
	ctx := context.Background()
	e := openSmall(t, t.TempDir())
	defer closeSound(t, e)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for c := range 6 {
		wg.Go(func() {
			for i := range 40 {
				if err := writeAndLook(ctx, e, value.String(fmt.Sprintf("%d-%d", c, i)), i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
}

func writeAndLook(ctx context.Context, e *document.Engine, id value.Value, i int) error {
	doc, err := value.Object([]value.Member{{Key: "_id", Value: id}, {Key: "i", Value: value.Int(int64(i))}})
	if err != nil {
		return err
	}
	d, err := e.Insert(ctx, "c", doc)
	if err != nil {
		return err
	}
	for _, at := range []document.Moment{{}, {Tx: d.Tx}, {Revision: 1}} {
		if got, err := e.Get(ctx, "c", id, at); err != nil || got.Tx != d.Tx {
			return fmt.Errorf("%s at %+v: %w", id.AppendJSON(nil), at, err)
		}
	}
	if _, err := e.Get(ctx, "c", id, document.Moment{Tx: d.Tx - 1}); !errors.Is(err, document.ErrNotFound) {
		return fmt.Errorf("%s before it was written: %w", id.AppendJSON(nil), err)
	}
	deleted, err := e.Delete(ctx, "c", id)
	if err != nil {
		return err
	}
	if _, err := e.Get(ctx, "c", id, document.Moment{}); !errors.Is(err, document.ErrNotFound) {
		return fmt.Errorf("%s after it was deleted: %w", id.AppendJSON(nil), err)
	}
	n := 0
	for h, err := range e.History(ctx, "c", id, document.HistoryOptions{}) {
		if err != nil {
			return err
		}
		n++
		if h.Revision == 2 && h.Tx != deleted.Tx {
			return fmt.Errorf("%s: tombstone of transaction %d", id.AppendJSON(nil), h.Tx)
		}
	}
	if n != 2 {
		return fmt.Errorf("%s has %d revisions", id.AppendJSON(nil), n)
	}
	return nil
}
