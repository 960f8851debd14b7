package docserver

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func TestPageToken(t *testing.T) {
	request := page{stream: "history", database: "one", collection: "things", id: value.String("x"), desc: true}
	reached := request
	reached.tx, reached.after = 1<<63+5, value.Uint(7)
	got, err := request.resume(reached.token())
	require.NoError(t, err)
	require.Equal(t, reached.tx, got.tx)
	require.True(t, value.Equal(reached.after, got.after))
	require.Equal(t, reached.token(), got.token())

	for name, change := range map[string]func(*page){
		"stream":     func(p *page) { p.stream = "scan" },
		"database":   func(p *page) { p.database = "two" },
		"collection": func(p *page) { p.collection = "thing" },
		"id":         func(p *page) { p.id = value.String("y") },
		"direction":  func(p *page) { p.desc = false },
	} {
		other := request
		change(&other)
		_, err := other.resume(reached.token())
		require.ErrorIs(t, err, errPageToken, name)
		require.ErrorContains(t, err, "another request", name)
	}
	require.ErrorContains(t, second(request.resume(request.token())), "names no transaction")
}

func second[T any](_ T, err error) error { return err }

func FuzzPageToken(f *testing.F) {
	request := page{stream: "scan", database: "one", collection: "things"}
	reached := request
	reached.tx, reached.after = 5, value.String("x")
	f.Add(reached.token())
	f.Add("")
	f.Add("!")
	f.Add(base64.RawURLEncoding.EncodeToString(canon.Encode(value.Array([]value.Value{value.Int(1)}))))
	f.Fuzz(func(t *testing.T, token string) {
		got, err := request.resume(token)
		if err != nil {
			requireStatus(t, toStatus(err), codes.InvalidArgument, "INVALID_PAGE_TOKEN")
			return
		}
		require.NotZero(t, got.tx)
		again, err := request.resume(got.token())
		require.NoError(t, err)
		require.Equal(t, got.tx, again.tx)
		require.True(t, value.Equal(got.after, again.after))
	})
}
