package e2e

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// Documents come in groups, each of which some clients work on: so a history can be
// checked group by group.
const (
	docGroups     = 16
	groupClients  = 4
	groupDocs     = 3
	groupRequests = 60 // of each client, about half before the kill
)

// request is what a client asks for.
type request struct {
	kind       string // get, list, insert, set, cas, delete, both
	doc, other int
	property   int    // that set changes
	revision   uint64 // that cas wants
	n          int    // what is written
}

// docSeen is a document as a client sees it.
type docSeen struct {
	revision   uint64
	live       bool
	properties [2]int
}

// group is the state of a group.
type group [groupDocs]docSeen

// response is what came of a request.
type response struct {
	unknown bool   // the server was killed meanwhile
	refusal string // reason of an error
	seen    group  // of get, list: what is read; of writes: the revisions
}

// apply is what a server does that works on one request at a time.
func (g group) apply(r request) (response, group) {
	d := g[r.doc]
	refuse := func(reason string) (response, group) { return response{refusal: reason}, g }
	write := func(docs ...int) (response, group) {
		var out response
		for _, doc := range docs {
			g[doc].revision++
			out.seen[doc].revision = g[doc].revision
		}
		return out, g
	}
	switch r.kind {
	case "get":
		if !d.live {
			return refuse("DOCUMENT_NOT_FOUND")
		}
		var out response
		out.seen[r.doc] = d
		return out, g
	case "list":
		var out response
		for i, d := range g {
			if d.live {
				out.seen[i] = d
			}
		}
		return out, g
	case "insert":
		if d.live {
			return refuse("DUPLICATE_ID")
		}
		g[r.doc].live, g[r.doc].properties = true, [2]int{r.n, r.n}
		return write(r.doc)
	case "both":
		if !d.live || !g[r.other].live {
			return refuse("DOCUMENT_NOT_FOUND")
		}
		g[r.doc].properties[0], g[r.other].properties[0] = r.n, r.n
		return write(r.doc, r.other)
	case "cas":
		if d.revision != r.revision {
			return refuse("REVISION_CONFLICT")
		}
	}
	if !d.live {
		return refuse("DOCUMENT_NOT_FOUND")
	}
	if r.kind == "delete" {
		g[r.doc].live, g[r.doc].properties = false, [2]int{}
	} else {
		g[r.doc].properties[r.property] = r.n
	}
	return write(r.doc)
}

// TestLinearizable: what clients see of a real server that is killed in between, each
// in its own session, they could have seen from one that works on one request at a
// time, in an order that agrees with when they asked and were answered.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	setup := s.connect()
	createCollection(t, setup, "c")
	closeClient(setup)
	var mu sync.Mutex
	histories := make([][]porcupine.Operation, docGroups)
	refusals := map[string]int{}
	var connected, half, working sync.WaitGroup
	failed := make(chan error, docGroups*groupClients)
	start := time.Now()
	for client := range docGroups * groupClients {
		connected.Add(1)
		half.Add(1)
		a, g := as(t, database), client/groupClients
		working.Go(func() {
			ready, halfway := sync.OnceFunc(connected.Done), sync.OnceFunc(half.Done)
			defer ready()
			defer halfway()
			var c *docclient.Client
			var known group
			for n := 0; n < groupRequests; {
				if n == groupRequests/2 {
					halfway()
				}
				if c == nil {
					var err error
					if c, err = docclient.Open(timeout(t), s.options(a)); err != nil {
						<-time.After(20 * time.Millisecond)
						continue
					}
				}
				ready()
				connected.Wait()
				r := randomRequest(client*groupRequests+n+1, &known)
				called := time.Since(start).Nanoseconds()
				out, err := ask(t, c, g, r)
				returned := time.Since(start).Nanoseconds()
				if err != nil {
					closeClient(c)
					c = nil
					if !wasKilled(err) {
						failed <- fmt.Errorf("%+v: %w", r, err)
						return
					}
					out.unknown, returned = true, math.MaxInt64
				}
				for i, d := range out.seen {
					if d.revision > 0 {
						known[i].revision = d.revision
					}
				}
				mu.Lock()
				refusals[out.refusal]++
				histories[g] = append(histories[g], porcupine.Operation{ClientId: client, Input: r, Output: out, Call: called, Return: returned})
				mu.Unlock()
				n++
			}
			if c != nil {
				closeClient(c)
			}
		})
	}
	half.Wait()
	s.restart(s.kill)
	working.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	unknown := 0
	for g, history := range histories {
		for _, op := range history {
			if op.Output.(response).unknown {
				unknown++
			}
		}
		result := porcupine.CheckOperationsTimeout(model, history, 2*time.Minute)
		require.Equal(t, porcupine.Ok, result, "group %d", g)
	}
	for _, reason := range []string{"", "DOCUMENT_NOT_FOUND", "DUPLICATE_ID", "REVISION_CONFLICT"} {
		require.Positive(t, refusals[reason], "answers %q", reason)
	}
	t.Logf("answers %v, %d of them not known", refusals, unknown)
}

// model checks the history of one group. An answer that is not known may be any, of a
// request that was done, or was not.
var model = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{group{}} },
	Step: func(state, input, output any) []any {
		before, r, out := state.(group), input.(request), output.(response)
		want, after := before.apply(r)
		switch {
		case out.unknown && after != before:
			return []any{before, after}
		case out.unknown || out == want:
			return []any{after}
		}
		return nil
	},
	Equal: func(a, b any) bool { return a == b },
}).ToModel()

func randomRequest(n int, known *group) request {
	kinds := []string{"get", "get", "list", "insert", "insert", "insert", "set", "set", "set", "cas", "cas", "delete", "both"}
	r := request{kind: kinds[rand.IntN(len(kinds))], doc: rand.IntN(groupDocs), property: rand.IntN(2), n: n}
	r.other = (r.doc + 1 + rand.IntN(groupDocs-1)) % groupDocs
	r.revision = known[r.doc].revision
	return r
}

// ask sends a request. An error is one that leaves open what was done.
func ask(t *testing.T, c *docclient.Client, g int, r request) (out response, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	id := func(doc int) value.Value { return value.Int(int64(g*groupDocs + doc)) }
	change := func(doc, property int) docclient.Op {
		return docclient.Op{ID: id(doc), Patch: object(fmt.Sprintf("p%d", property), value.Int(int64(r.n)))}
	}
	see := func(d *docclient.Document) {
		n, _ := d.ID.AsInt()
		seen := &out.seen[int(n)%groupDocs]
		seen.revision = d.Revision
		if r.kind != "get" && r.kind != "list" {
			return
		}
		seen.live = true
		for i := range seen.properties {
			p, _ := d.Value.Get(fmt.Sprintf("p%d", i))
			n, _ := p.AsInt()
			seen.properties[i] = int(n)
		}
	}
	var written []docclient.Document
	switch r.kind {
	case "get":
		var d *docclient.Document
		if d, err = c.Get(ctx, "c", id(r.doc), docclient.Moment{}); err == nil {
			see(d)
		}
	case "list":
		where := json(t, fmt.Sprintf(`{"_id":{"$gte":%d,"$lt":%d}}`, g*groupDocs, (g+1)*groupDocs))
		for d, err := range c.Scan(ctx, "c", docclient.ListOptions{Filter: where}).Documents() {
			if err != nil {
				return response{}, err
			}
			see(d)
		}
	case "insert":
		v := value.Int(int64(r.n))
		written, err = c.Insert(ctx, "c", docclient.Op{Document: object("_id", id(r.doc), "p0", v, "p1", v)})
	case "set":
		written, err = c.Update(ctx, "c", change(r.doc, r.property))
	case "cas":
		op := change(r.doc, r.property)
		op.IfRevision = &r.revision
		written, err = c.Update(ctx, "c", op)
	case "delete":
		written, err = c.Delete(ctx, "c", docclient.Op{ID: id(r.doc)})
	case "both":
		written, err = c.Transact(ctx,
			docclient.Step{Kind: proof.Update, Collection: "c", Op: change(r.doc, 0)},
			docclient.Step{Kind: proof.Update, Collection: "c", Op: change(r.other, 0)})
	}
	for i := range written {
		see(&written[i])
	}
	switch reason := docclient.Reason(err); reason {
	case "DOCUMENT_NOT_FOUND", "DUPLICATE_ID", "REVISION_CONFLICT":
		return response{refusal: reason}, nil
	}
	return out, err
}
