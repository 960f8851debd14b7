package docclient

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/codenotary/immudb/pkg/client/cache"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

func TestStatesOfImmudbsFile(t *testing.T) {
	dir := t.TempDir()
	c := cache.NewFileCache(dir)
	require.NoError(t, c.Lock("u"))
	require.NoError(t, c.Set("u", "defaultdb", at(7).immutableState("defaultdb")))
	require.NoError(t, c.Set("u", "other", at(300).immutableState("other")))
	require.NoError(t, c.Unlock())

	states, err := ParseStates(readFile(t, dir+"/.state-u"))
	require.NoError(t, err)
	require.Equal(t, []proof.TrustedState{
		{Database: "defaultdb", State: at(7).State},
		{Database: "other", State: at(300).State},
	}, states)
}

func TestStatesOfJSON(t *testing.T) {
	want := []proof.TrustedState{{Database: "db", State: at(9).State}}
	hash := want[0].State.Alh
	for _, text := range []string{
		fmt.Sprintf(`{"database":"db","txId":9,"txHash":"%x"}`, hash),
		fmt.Sprintf(` {"txHash":"%s","txId":"9","database":"db"} `, base64.StdEncoding.EncodeToString(hash[:])),
	} {
		got, err := ParseStates([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestStatesRefused(t *testing.T) {
	hash := hex.EncodeToString(make([]byte, 32))
	for name, text := range map[string]string{
		"empty":         "",
		"no base64":     "db:???",
		"no colon":      "db",
		"no name":       ":CAE=",
		"no message":    "db://///w==",
		"no hash":       "db:EAc=",
		"not JSON":      "{",
		"short hash":    `{"database":"db","txId":1,"txHash":"00"}`,
		"bad hash":      `{"database":"db","txId":1,"txHash":"zz"}`,
		"no database":   `{"txId":1,"txHash":"` + hash + `"}`,
		"negative":      `{"database":"db","txId":-1,"txHash":"` + hash + `"}`,
		"fraction":      `{"database":"db","txId":1.5,"txHash":"` + hash + `"}`,
		"surplus":       `{"database":"db","txId":1,"txHash":"` + hash + `","x":1}`,
		"data after it": `{"database":"db","txId":1,"txHash":"` + hash + `"} {}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseStates([]byte(text))
			require.ErrorIs(t, err, ErrStateFile)
		})
	}
}

func FuzzParseStates(f *testing.F) {
	f.Add([]byte("db:EAc=\n"))
	f.Add([]byte(`{"database":"db","txId":1,"txHash":"00"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		states, err := ParseStates(b)
		if err != nil {
			require.ErrorIs(t, err, ErrStateFile)
			return
		}
		require.NotEmpty(t, states)
		for _, s := range states {
			require.NotEmpty(t, s.Database)
		}
	})
}
