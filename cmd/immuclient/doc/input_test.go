package doc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func TestParseID(t *testing.T) {
	u := value.UUID([16]byte{15: 1})
	for _, c := range []struct {
		arg, kind string
		want      value.Value
	}{
		{"ada", "auto", value.String("ada")},
		{"42", "auto", value.Int(42)},
		{"-7", "auto", value.Int(-7)},
		{"18446744073709551615", "auto", value.Uint(1<<64 - 1)},
		{"007", "auto", value.String("007")},
		{"4.2", "auto", value.String("4.2")},
		{"1e3", "auto", value.String("1e3")},
		{`"42"`, "auto", value.String("42")},
		{`"open`, "auto", value.String(`"open`)},
		{"null", "auto", value.String("null")},
		{"[1]", "auto", value.String("[1]")},
		{`{"a":1}`, "auto", value.String(`{"a":1}`)},
		{`{"$uuid":"00000000-0000-0000-0000-000000000001"}`, "auto", u},
		{`{"$binary":{"base64":"AQI=","subType":"00"}}`, "auto", value.Bytes([]byte{1, 2})},
		{"00000000-0000-0000-0000-000000000001", "auto", value.String("00000000-0000-0000-0000-000000000001")},
		{"00000000-0000-0000-0000-000000000001", "uuid", u},
		{"42", "string", value.String("42")},
		{"42", "int", value.Int(42)},
		{`"42"`, "json", value.String("42")},
	} {
		got, err := parseID(c.arg, c.kind)
		require.NoError(t, err, "%s as %s", c.arg, c.kind)
		require.True(t, value.Equal(c.want, got), "%s as %s: %s", c.arg, c.kind, jsonOf(got))
	}
	for _, c := range [][2]string{{"x", "int"}, {"1.5", "int"}, {"x", "uuid"}, {"{", "json"}, {"x", "other"}, {"\xff", "auto"}, {"\xff", "string"}} {
		_, err := parseID(c[0], c[1])
		require.Error(t, err, "%q", c)
	}
}

func TestReadArg(t *testing.T) {
	c := &cobra.Command{}
	c.SetIn(strings.NewReader(`{"in":1}`))
	file := filepath.Join(t.TempDir(), "f.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"file":1}`), 0o600))
	for arg, want := range map[string]string{"-": `{"in":1}`, "@" + file: `{"file":1}`, `{"arg":1}`: `{"arg":1}`} {
		v, err := jsonArg(c, arg)
		require.NoError(t, err)
		require.Equal(t, want, jsonOf(v))
	}
	_, err := jsonArg(c, "@"+file+".none")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = jsonArg(c, "{")
	require.ErrorContains(t, err, "argument: ")
}

func TestMoments(t *testing.T) {
	parse := func(args ...string) (docclient.Moment, error) {
		c := &cobra.Command{}
		m := momentFlags(c, true)
		require.NoError(t, c.ParseFlags(args))
		return m.moment()
	}
	at, err := parse()
	require.NoError(t, err)
	require.Zero(t, at)
	at, err = parse("--at-tx", "7")
	require.NoError(t, err)
	require.Equal(t, docclient.Moment{Tx: 7}, at)
	at, err = parse("--revision", "3")
	require.NoError(t, err)
	require.Equal(t, docclient.Moment{Revision: 3}, at)
	at, err = parse("--at-time", "2026-01-31T12:00:00+01:00")
	require.NoError(t, err)
	require.True(t, at.Time.Equal(time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC)))
	for _, args := range [][]string{{"--at-time", "noon"}, {"--at-tx", "0"}, {"--revision", "0"}, {"--at-tx", "1", "--revision", "1"}} {
		_, err = parse(args...)
		require.Error(t, err, "%v", args)
	}
}

func TestIfRevision(t *testing.T) {
	c := &cobra.Command{}
	f := ifRevisionFlag(c, ifRevisionOrUnused)
	require.Nil(t, f())
	require.NoError(t, c.ParseFlags([]string{"--if-revision", "0"}))
	require.NotNil(t, f())
	require.Zero(t, *f())
}
