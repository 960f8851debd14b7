package docclient

import (
	"testing"

	"github.com/codenotary/immudb/pkg/client"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

func TestDefaultOptionsAreValid(t *testing.T) {
	require.NoError(t, DefaultOptions().Validate())
}

func TestOptionsRefused(t *testing.T) {
	for name, o := range map[string]*Options{
		"nil":          nil,
		"no immudb":    DefaultOptions().WithImmudb(nil),
		"no address":   DefaultOptions().WithImmudb(client.DefaultOptions().WithAddress("")),
		"no user":      DefaultOptions().WithUser("", "x"),
		"no database":  DefaultOptions().WithDatabase(""),
		"message size": DefaultOptions().WithMaxMessageSize(-1),
		"port":         DefaultOptions().WithImmudb(&client.Options{Address: "a", Port: 70000}),
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, o.Validate(), ErrOptions)
		})
	}
}

// immudb's client writes into its options; the caller's stay as they are.
func TestImmudbOptionsAreCopied(t *testing.T) {
	dial := make([]grpc.DialOption, 0, 4)
	o := DefaultOptions().WithImmudb(client.DefaultOptions().WithDialOptions(dial)).WithDatabase("MyDB")
	a, b := o.immudbOptions(), o.immudbOptions()
	a.DialOptions = append(a.DialOptions, grpc.WithUserAgent("a"))
	a.CurrentDatabase = "a"
	require.Empty(t, b.DialOptions)
	require.Empty(t, o.Immudb.CurrentDatabase)
	require.Equal(t, DefaultMaxMessageSize, a.MaxRecvMsgSize)
	require.Equal(t, "mydb", o.database(), "the server knows databases in lower case")
}

func TestOpenRefusesBadOptions(t *testing.T) {
	_, err := Open(t.Context(), DefaultOptions().WithUser("", ""))
	require.ErrorIs(t, err, ErrOptions)
	_, err = NewPool(DefaultOptions().WithUser("", ""), 1)
	require.ErrorIs(t, err, ErrOptions)
	_, err = NewPool(DefaultOptions(), -1)
	require.ErrorIs(t, err, ErrOptions)
}
