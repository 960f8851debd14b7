package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// Documents live in databases with whatever settings immudb offers; what does not
// fit is refused with the limit.
func TestDatabaseSettings(t *testing.T) {
	t.Parallel()
	number := func(n uint32) *schema.NullableUint32 { return &schema.NullableUint32{Value: n} }
	yes := &schema.NullableBool{Value: true}
	s := startServer(t)
	long := docclient.Op{ID: value.String(strings.Repeat("i", 200)), Document: object()}
	large := docclient.Op{Document: object("_id", value.String("large"), "x", value.String(strings.Repeat("x", 2000)))}
	for name, test := range map[string]struct {
		settings *schema.DatabaseNullableSettings
		ops      []docclient.Op
		refused  []string // what is said of them, nothing if they fit
	}{
		"timeless":    {&schema.DatabaseNullableSettings{ExcludeCommitTime: yes}, orders(0, 50), nil},
		"embedded":    {&schema.DatabaseNullableSettings{EmbeddedValues: yes}, orders(0, 50), nil},
		"preallocate": {&schema.DatabaseNullableSettings{PreallocFiles: yes, FileSize: number(1 << 20)}, orders(0, 50), nil},
		"onebyone":    {&schema.DatabaseNullableSettings{MaxConcurrency: number(1), MaxActiveTransactions: number(1)}, orders(0, 50), nil},
		"smallvalues": {&schema.DatabaseNullableSettings{MaxValueLen: number(1024)}, []docclient.Op{large}, []string{`"large"`, "1024"}},
		"smallkeys":   {&schema.DatabaseNullableSettings{MaxKeyLen: number(64)}, []docclient.Op{long}, []string{"iii", "64"}},
		"smalltx":     {&schema.DatabaseNullableSettings{MaxTxEntries: number(4)}, orders(0, 4), []string{"4 documents", "3"}},
		"hugetx":      {&schema.DatabaseNullableSettings{MaxTxEntries: number(1 << 14)}, orders(0, 5000), nil},
	} {
		createDatabase(t, s, name, test.settings)
		c := s.connectAs(as(t, name))
		createCollection(t, c, "orders")
		_, err := c.Insert(timeout(t), "orders", test.ops...)
		stored := len(test.ops)
		if test.refused != nil {
			requireReason(t, err, codes.InvalidArgument, "TOO_LARGE", test.refused...)
			insertOrders(t, c, "orders", 0, 3, 3)
			stored = 3
		} else {
			require.NoError(t, err, name)
		}
		requireOrders(t, c, "orders", stored)
		closeClient(c)
	}
	// A database without times is not read at one.
	timeless := s.connectAs(as(t, "timeless"))
	_, err := timeless.Get(timeout(t), "orders", orderID(1), docclient.Moment{Time: time.Unix(0, 0)})
	requireReason(t, err, codes.InvalidArgument, "INVALID_MOMENT", "timeless")
	d, err := timeless.Get(timeout(t), "orders", orderID(1), docclient.Moment{Revision: 1})
	require.NoError(t, err)
	require.Zero(t, d.Time.Unix())
}

// Several processes use one folder of trusted states, ours and immudb's clients:
// each verifies, and together they trust ever newer states.
func TestProcessesShareTrust(t *testing.T) {
	t.Parallel()
	const processes, documents = 4, 600
	s := startServer(t)
	dir := t.TempDir()
	shared := account{user: admin, password: admin, database: database, dir: dir}
	c := s.connectAs(shared)
	file := filepath.Join(dir, "orders.ndjson")
	writeOrders(t, file, documents)
	var busy sync.WaitGroup
	for i := range processes {
		name := fmt.Sprint("orders", i)
		createCollection(t, c, name)
		busy.Go(func() {
			r := s.immuclient(dir, "doc", "import", name, file, "--batch", "20")
			assert.Zero(t, r.code, "%s%s", r.stdout, r.stderr)
		})
	}
	immudb := s.stockClient(shared)
	for i := range 10 {
		checkKeys(t, immudb, i)
		_, err := c.State(timeout(t))
		require.NoError(t, err)
	}
	busy.Wait()
	for i := range processes {
		requireOrders(t, c, fmt.Sprint("orders", i), documents)
	}
	files, err := filepath.Glob(filepath.Join(dir, ".state-*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
}
