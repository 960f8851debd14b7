package document_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// queries is a collection, what it held at every transaction, and indexes.
type queries struct {
	irregular
	t       *testing.T
	dir     string
	e       *document.Engine
	current map[int64]value.Value
	moments map[uint64]map[int64]value.Value
	indexes []string
	made    int
	depth   int         // of containers in documents
	orders  map[int]int // how many queries read indexes, by how they come into order
}

// TestQueriesAgainstTheReference: whatever indexes there are, at any transaction, in
// any order, in pages and with interruptions, a query finds what matching every
// document and sorting naively finds.
func TestQueriesAgainstTheReference(t *testing.T) {
	for name, depth := range map[string]int{"irregular": 2, "regular": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			s := &queries{
				irregular: irregular{seeded(t), 2}, t: t, dir: t.TempDir(), depth: depth,
				current: map[int64]value.Value{}, moments: map[uint64]map[int64]value.Value{}, orders: map[int]int{},
			}
			s.e = openSmall(t, s.dir)
			c, err := s.e.CreateCollection(ctx, "c", document.CollectionOptions{})
			require.NoError(t, err)
			s.moments[c.ChangedTx] = map[int64]value.Value{}
			for range 8 {
				for range 30 {
					s.change()
				}
				s.changeIndexes()
				for range 80 {
					s.ask()
				}
				if s.IntN(3) == 0 {
					closeSound(t, s.e)
					s.e = openSmall(t, s.dir)
				}
			}
			closeSound(t, s.e)
			require.NotEmpty(t, s.orders)
			t.Log("how indexes were used:", s.orders)
		})
	}
}

func (s *queries) change() {
	ctx, id := context.Background(), s.Int64N(50)
	key := value.Int(id)
	doc := parse(s.t, s.object(s.depth)).With("_id", key)
	_, exists := s.current[id]
	var d *document.Document
	var err error
	switch n := s.IntN(4); {
	case !exists:
		d, err = s.e.Insert(ctx, "c", doc)
	case n == 0:
		d, err = s.e.Delete(ctx, "c", key)
	default:
		d, err = s.e.Replace(ctx, "c", key, doc)
	}
	require.NoError(s.t, err)
	if s.current[id] = doc; d.Deleted() {
		delete(s.current, id)
	}
	s.moments[d.Tx] = maps.Clone(s.current)
}

func (s *queries) changeIndexes() {
	ctx := context.Background()
	for range 1 + s.IntN(2) {
		opts := s.randomIndex(s.t)
		opts.Name = fmt.Sprint("index", s.made)
		s.made++
		_, err := s.e.CreateIndex(ctx, "c", opts)
		require.NoError(s.t, err)
		s.indexes = append(s.indexes, opts.Name)
	}
	if len(s.indexes) > 3 {
		_, err := s.e.DropIndex(ctx, "c", s.indexes[0])
		require.NoError(s.t, err)
		s.indexes = s.indexes[1:]
	}
	for _, name := range s.indexes {
		if s.IntN(4) > 0 { // else queries meet it half built
			_, err := s.e.WaitIndex(ctx, "c", name)
			require.NoError(s.t, err)
		}
	}
}

func (s *queries) ask() {
	ctx, t := context.Background(), s.t
	transactions := slices.Sorted(maps.Keys(s.moments))
	tx := transactions[s.IntN(len(transactions))]
	if s.IntN(2) == 0 {
		tx = transactions[len(transactions)-1]
	}
	text := s.filter(2)
	if s.IntN(3) == 0 {
		text = fmt.Sprintf(`{%q:%s}`, s.path(), s.pick(s.scalar(), `{"$gt":0}`, `{"$gte":0,"$lt":2}`, `{"$in":[1,"a",null]}`))
	}
	f, err := filter.Parse(parse(t, text))
	if errors.Is(err, filter.ErrInvalid) {
		return
	}
	require.NoError(t, err)
	sorted := s.pick("", "", "-_id", "a", "-a", "b,a", "a,-b", "-b,-a", "a.b", "c.b,a")
	opts := document.QueryOptions{Tx: tx, Filter: f, Skip: uint64(s.IntN(3) * s.IntN(6))}
	less := reference("_id")
	if sorted != "" {
		opts.Sort, err = query.ParseSort(sorted)
		require.NoError(t, err)
		less = reference(sorted)
	}
	var want []value.Value
	for _, doc := range s.moments[tx] {
		if f.Match(doc) {
			want = append(want, doc)
		}
	}
	slices.SortFunc(want, less)
	what := fmt.Sprintf("%s sorted by %q at %d", text, sorted, tx)

	counting := document.NewQuery("c", document.QueryOptions{Tx: tx, Filter: f})
	var count uint64
	for {
		n, err := counting.Count(ctx, s.e, time.Unix(1, 0))
		count += n
		if err == nil {
			break
		}
		var paused *document.PausedError
		require.ErrorAs(t, err, &paused, what)
	}
	require.NoError(t, counting.Close())
	require.Equal(t, uint64(len(want)), count, what)

	want = want[min(len(want), int(opts.Skip)):]
	s.aggregate(tx, text, sorted, opts.Skip, want)
	var got []value.Value
	size := 1 + s.IntN(20)
	opts.Limit = size + 1
	for more := true; more; {
		q := document.NewQuery("c", opts).WithMemory(500)
		var page []value.Value
		page, more = s.page(q, size)
		got = append(got, page...)
		opts.Skip = 0
		if indexes, order := q.Plan(); len(indexes) > 0 {
			s.orders[order]++
		}
		if _, byID := opts.Sort.ByID(); byID {
			opts.After = q.After()
		} else {
			opts.Behind, err = q.Position(ctx)
			require.NoError(t, err)
		}
		require.NoError(t, q.Close())
	}
	require.Equal(t, len(want), len(got), what)
	for i := range want {
		require.True(t, value.Equal(want[i], got[i]), "%d of %s: %s, want %s", i, what, got[i], want[i])
	}
}

// aggregate asks a pipeline for the same.
func (s *queries) aggregate(tx uint64, match, sorted string, skip uint64, want []value.Value) {
	stages := fmt.Sprintf(`{"$match":%s}`, match)
	if sorted != "" {
		var order []string
		for path := range strings.SplitSeq(sorted, ",") {
			direction := 1
			if strings.HasPrefix(path, "-") {
				path, direction = path[1:], -1
			}
			order = append(order, fmt.Sprintf(`{%q:%d}`, path, direction))
		}
		stages += fmt.Sprintf(`,{"$sort":[%s]}`, strings.Join(order, ","))
	}
	stages = fmt.Sprintf(`[%s,{"$skip":%d}]`, stages, skip)
	pipeline, err := aggregate.ParseJSON([]byte(stages))
	require.NoError(s.t, err)
	p, err := aggregate.Parse(pipeline)
	require.NoError(s.t, err, stages)
	i := 0
	for got, err := range s.e.Aggregate(context.Background(), "c", p, document.Moment{Tx: tx}) {
		require.NoError(s.t, err, stages)
		require.Less(s.t, i, len(want), stages)
		require.True(s.t, value.Equal(want[i], got), "%d of %s: %s, want %s", i, stages, got, want[i])
		i++
	}
	require.Len(s.t, want, i, stages)
}

// page reads a page, being interrupted and leaving documents again and again, and
// reports whether there is more.
func (s *queries) page(q *document.Query, size int) (page []value.Value, more bool) {
	for {
		again := false
		for d, err := range q.Documents(context.Background(), s.e, time.Unix(int64(s.IntN(2)), 0)) {
			var paused *document.PausedError
			if errors.As(err, &paused) {
				again = true
				break
			}
			require.NoError(s.t, err)
			if len(page) == size {
				return page, true
			}
			if again = s.IntN(10) == 0; again { // not taken
				break
			}
			v, err := d.Value()
			require.NoError(s.t, err)
			page = append(page, v)
		}
		if !again {
			return page, false
		}
	}
}

// TestReadingThePastPauses: a reading pauses among documents and entries that are newer
// than its moment, too.
func TestReadingThePastPauses(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	_, err = e.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "v")})
	require.NoError(t, err)
	_, err = e.WaitIndex(ctx, "c", "v")
	require.NoError(t, err)
	d, err := e.Insert(ctx, "c", parse(t, `{"_id":5,"v":5}`))
	require.NoError(t, err)
	for i := range 10 {
		if i != 5 {
			_, err := e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"v":%[1]d}`, i)))
			require.NoError(t, err)
		}
	}
	for text, sorted := range map[string]string{`{}`: "", `{"_id":{"$gte":0}}`: "", `{"v":{"$gt":-1}}`: "v", `{"v":{"$lt":10}}`: "-v"} {
		f, err := filter.Parse(parse(t, text))
		require.NoError(t, err)
		opts := document.QueryOptions{Tx: d.Tx, Filter: f}
		if sorted != "" {
			opts.Sort = sortOf(t, sorted)
		}
		q := document.NewQuery("c", opts)
		pauses, found := 0, 0
		for again := true; again; {
			again = false
			for d, err := range q.Documents(ctx, e, time.Unix(1, 0)) {
				var paused *document.PausedError
				if again = errors.As(err, &paused); again {
					pauses++
					break
				}
				require.NoError(t, err)
				require.True(t, value.Equal(value.Int(5), d.ID))
				found++
			}
		}
		require.NoError(t, q.Close())
		require.Equal(t, 1, found, text)
		require.GreaterOrEqual(t, pauses, 9, text)
	}
}

// TestQueriesPauseWhereNothingIsFound: a reading pauses among ids that do not exist, among
// documents that it skips, and where it only counts.
func TestQueriesPauseWhereNothingIsFound(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range 10 {
		_, err := e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"v":[%[1]d,0]}`, i)))
		require.NoError(t, err)
	}
	_, err = e.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "v")})
	require.NoError(t, err)
	_, err = e.WaitIndex(ctx, "c", "v")
	require.NoError(t, err)
	for _, c := range []struct {
		text, sort    string
		skip          uint64
		found, pauses int
		count         int
	}{
		{text: `{"_id":{"$in":[-1,-2,-3,-4,-5,-6,-7,-8,-9,3]}}`, found: 1, pauses: 9, count: 1},
		{text: `{}`, sort: "v", skip: 9, found: 1, pauses: 9 + 9, count: 10},
		{text: `{"v":{"$lt":10}}`, found: 10, pauses: 19 + 9, count: 10}, // 19 entries
	} {
		f, err := filter.Parse(parse(t, c.text))
		require.NoError(t, err)
		opts := document.QueryOptions{Filter: f, Skip: c.skip}
		if c.sort != "" {
			opts.Sort = sortOf(t, c.sort)
		}
		q := document.NewQuery("c", opts)
		pauses, found := 0, 0
		for again := true; again; {
			again = false
			for _, err := range q.Documents(ctx, e, time.Unix(1, 0)) {
				var paused *document.PausedError
				if again = errors.As(err, &paused); again {
					pauses++
					break
				}
				require.NoError(t, err)
				found++
			}
		}
		require.NoError(t, q.Close())
		require.Equal(t, c.found, found, c.text)
		require.GreaterOrEqual(t, pauses, c.pauses, c.text)

		q = document.NewQuery("c", document.QueryOptions{Filter: f})
		pauses, found = 0, 0
		for again := true; again; {
			n, err := q.Count(ctx, e, time.Unix(1, 0))
			found += int(n)
			var paused *document.PausedError
			if again = errors.As(err, &paused); again {
				pauses++
				continue
			}
			require.NoError(t, err)
		}
		require.NoError(t, q.Close())
		require.Equal(t, c.count, found, c.text)
		require.GreaterOrEqual(t, pauses, 9, c.text)
	}
}
