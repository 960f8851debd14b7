package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/codenotary/immudb/pkg/client"
	"github.com/golang/protobuf/ptypes/empty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// documents opens a verifying client of documents.
func (i *instance) documents(t *testing.T) *docclient.Client {
	t.Helper()
	c, err := docclient.Open(t.Context(), docclient.DefaultOptions().WithImmudb(client.DefaultOptions().
		WithDir(t.TempDir()).WithAddress("127.0.0.1").WithPort(i.port)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func parsed(t assert.TestingT, text string) value.Value {
	v, err := value.ParseJSON([]byte(text))
	assert.NoError(t, err)
	return v
}

// Compaction with documents in use: what is read is whole, what is written stays,
// and the database is opened again by itself, since a compacted index of immudb
// does not work for long.
func TestCompactionWithDocuments(t *testing.T) {
	t.Setenv("LOG_LEVEL", "info")
	i := start(t, ours, t.TempDir())
	admin := i.session(t, "defaultdb")
	c := i.documents(t)
	_, err := c.CreateCollection(t.Context(), "things", docclient.CollectionOptions{})
	require.NoError(t, err)
	const n = 500
	var ops []docclient.Op
	for id := range n {
		ops = append(ops, docclient.Op{Document: parsed(t, fmt.Sprintf(`{"_id":%d,"n":0}`, id))})
	}
	_, err = c.Insert(t.Context(), "things", ops...)
	require.NoError(t, err)

	ctx, stop := context.WithCancel(t.Context())
	var updates, scans atomic.Int64
	var work sync.WaitGroup
	writer, reader := i.documents(t), i.documents(t)
	work.Go(func() {
		for ctx.Err() == nil {
			patch := parsed(t, fmt.Sprintf(`{"n":%d}`, updates.Load()+1))
			if _, err := writer.Update(t.Context(), "things", docclient.Op{ID: value.Int(0), Patch: patch}); !assert.NoError(t, err) {
				return
			}
			updates.Add(1)
		}
	})
	work.Go(func() {
		for ctx.Err() == nil {
			found := 0
			for _, err := range reader.Scan(t.Context(), "things", docclient.ListOptions{}).Documents() {
				if !assert.NoError(t, err) {
					return
				}
				found++
			}
			if !assert.Equal(t, n, found) {
				return
			}
			scans.Add(1)
		}
	})

	for round := range int64(3) {
		for range 2 { // below the threshold immudb compacts nothing
			_, err := admin.Set(t.Context(), []byte("key"), fmt.Appendf(nil, "%d", round))
			require.NoError(t, err)
			_, err = admin.FlushIndex(t.Context(), 0, true)
			require.NoError(t, err)
		}
		wanted := scans.Load() + 1
		require.NoError(t, admin.CompactIndex(t.Context(), &empty.Empty{}))
		require.Eventually(t, func() bool { return t.Failed() || scans.Load() >= wanted }, patience, patience/1000)
	}
	stop()
	work.Wait()
	require.Eventually(t, func() bool { return strings.Count(i.log.String(), "opening database 'defaultdb'") > 1 }, patience, patience/1000)

	doc, err := c.Get(t.Context(), "things", value.Int(0), docclient.Moment{})
	require.NoError(t, err)
	last, _ := doc.Value.Get("n")
	require.True(t, value.Equal(value.Int(updates.Load()), last), "%s updates are acknowledged", last.AppendJSON(nil))
	require.EqualValues(t, updates.Load()+1, doc.Revision)
	i.stop(t)

	again := start(t, ours, i.dir)
	count, _, err := again.documents(t).Count(t.Context(), "things", docclient.Moment{})
	require.NoError(t, err)
	require.EqualValues(t, n, count)
}
