package e2e

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// words of the generated documents, not all of them ASCII.
var words = []string{
	"amber", "bolt", "château", "delta", "émail", "flange", "grün", "hinge", "インチ", "joint", "kelvin", "lager",
	"mesh", "nut", "O-ring", "pump", "quartz", "rotor", "shaft", "tülle", "union", "valve", "weld", "µ-switch", "поршень", "🔩",
}

// order generates the order number i, always the same one: what a shop's
// database holds, some 400 bytes with nested objects and arrays, members that
// are only sometimes there, and values of every kind.
func order(i int) value.Value {
	r := rand.New(rand.NewPCG(uint64(i), 20))
	word := func() value.Value { return value.String(words[r.IntN(len(words))]) }
	members := []value.Member{
		{Key: "_id", Value: orderID(i)},
		{Key: "number", Value: value.Int(int64(i))},
		{Key: "placed", Value: value.Timestamp(time.Unix(1_700_000_000+int64(i)*61, int64(r.IntN(2))*int64(r.IntN(1e9))))},
		{Key: "customer", Value: object(
			"name", value.String(fmt.Sprintf("%s & %s", words[r.IntN(len(words))], words[r.IntN(len(words))])),
			"number", value.Uint(r.Uint64()),
			"vat", maybe(r, value.String(fmt.Sprintf("ATU%08d", r.IntN(1e8)))),
		)},
		{Key: "paid", Value: value.Bool(r.IntN(3) > 0)},
	}
	var positions []value.Value
	for range r.IntN(5) {
		positions = append(positions, object(
			"article", word(),
			"quantity", value.Int(int64(1+r.IntN(40))),
			"price", must(value.NewDecimal(big.NewInt(int64(r.IntN(1e6))), -2)),
		))
	}
	members = append(members, value.Member{Key: "positions", Value: value.Array(positions)})
	optional := func(key string, oneIn int, v value.Value) {
		if r.IntN(oneIn) == 0 {
			members = append(members, value.Member{Key: key, Value: v})
		}
	}
	optional("weight", 2, must(value.Float(float64(r.IntN(1e5))/8)))
	optional("note", 3, value.String(fmt.Sprintf("%s / %s\n\"%s\"", words[r.IntN(len(words))], words[r.IntN(len(words))], words[r.IntN(len(words))])))
	optional("tags", 3, value.Array([]value.Value{word(), word(), word()}))
	optional("signature", 5, value.Bytes([]byte(fmt.Sprintf("%032x", r.Uint64()))))
	optional("delivered", 4, value.Null())
	optional("a/b~c", 7, object("", value.Array(nil), "10", object()))
	return object(members)
}

// orderID is the _id of the order number i.
func orderID(i int) value.Value {
	switch i % 10 {
	case 3:
		return value.Int(int64(i) - 5_000)
	case 7:
		var u [16]byte
		copy(u[:], fmt.Sprintf("%016d", i))
		return value.UUID(u)
	default:
		return value.String(fmt.Sprintf("order-%07d", i))
	}
}

// maybe is v or Null.
func maybe(r *rand.Rand, v value.Value) value.Value {
	if r.IntN(2) == 0 {
		return value.Null()
	}
	return v
}

// object makes an object of members, or of keys and values.
func object(parts ...any) value.Value {
	var members []value.Member
	if len(parts) == 1 {
		members = parts[0].([]value.Member)
	} else {
		for i := 0; i < len(parts); i += 2 {
			members = append(members, value.Member{Key: parts[i].(string), Value: parts[i+1].(value.Value)})
		}
	}
	return must(value.Object(members))
}

// must returns a value that cannot fail to be made, but for a mistake in a test.
func must(v value.Value, err error) value.Value {
	if err != nil {
		panic(err)
	}
	return v
}

// orders are the insertions of the orders from number first to before end.
func orders(first, end int) []docclient.Op {
	ops := make([]docclient.Op, 0, end-first)
	for i := first; i < end; i++ {
		ops = append(ops, docclient.Op{Document: order(i)})
	}
	return ops
}

// insertOrders inserts orders, at most batch in one transaction.
func insertOrders(t testing.TB, c *docclient.Client, collection string, first, end, batch int) {
	t.Helper()
	ctx := timeout(t)
	for ; first < end; first += batch {
		_, err := c.Insert(ctx, collection, orders(first, min(end, first+batch))...)
		require.NoError(t, err)
	}
}

// createCollection makes a collection with all options at their defaults.
func createCollection(t testing.TB, c *docclient.Client, name string) {
	t.Helper()
	_, err := c.CreateCollection(timeout(t), name, docclient.CollectionOptions{})
	require.NoError(t, err)
}

// requireCount checks the number of documents.
func requireCount(t testing.TB, c *docclient.Client, collection string, want int) {
	t.Helper()
	n, _, err := c.Count(timeout(t), collection, docclient.Moment{})
	require.NoError(t, err)
	require.EqualValues(t, want, n, "documents in %s", collection)
}

// requireOrders checks that a collection holds exactly the orders from 0 to
// before end, each verified.
func requireOrders(t testing.TB, c *docclient.Client, collection string, end int) {
	t.Helper()
	requireCount(t, c, collection, end)
	seen := 0
	for d, err := range c.Scan(timeout(t), collection, docclient.ListOptions{}).Documents() {
		require.NoError(t, err)
		require.True(t, d.Verified || !c.Verifies())
		requireOrder(t, d.Value)
		seen++
	}
	require.Equal(t, end, seen, "documents listed of %s", collection)
}

// requireOrder checks that a document is the order it says it is.
func requireOrder(t testing.TB, doc value.Value) {
	t.Helper()
	number, ok := doc.Get("number")
	require.True(t, ok, "no number in %s", text(doc))
	i, ok := number.AsInt()
	require.True(t, ok)
	if want := order(int(i)); !value.Equal(doc, want) {
		require.Equal(t, text(want), text(doc))
	}
}
