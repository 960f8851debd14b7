package update_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// FuzzApply: no change and no document make a panic; what a change makes is a
// document with the same id that can be stored, the same each time, and one that the
// checks take for what it is.
func FuzzApply(f *testing.F) {
	for _, c := range cases {
		f.Add(c.update, c.before)
	}
	f.Fuzz(func(t *testing.T, text, before string) {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			return
		}
		doc, err := value.ParseJSON([]byte(before))
		if err != nil || doc.Kind() != value.KindObject {
			return
		}
		change, err := update.Parse(v)
		if err != nil {
			require.ErrorIs(t, err, update.ErrInvalid)
			return
		}
		doc = doc.With("_id", value.Int(7))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := change.ApplyUntil(ctx, doc, now)
		if err != nil {
			return
		}
		id, _ := got.Get("_id")
		require.True(t, value.Equal(value.Int(7), id))
		require.NoError(t, canon.Valid(canon.Encode(got)))
		again, err := change.Apply(doc, now)
		require.NoError(t, err)
		require.True(t, value.Equal(got, again))
		require.NoError(t, change.Check(got, now))
		require.NoError(t, change.CheckFrom(doc, got, now))
	})
}
