package immudbhost

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/pkg/database"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
)

// The layout of the immudb that this module requires is the known one.
func TestLayoutIsKnown(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	mod, err := modfile.ParseLax("go.mod", text, nil)
	require.NoError(t, err)
	for _, r := range mod.Require {
		if r.Mod.Path == immudbModule {
			require.Equal(t, supportedVersion, r.Mod.Version)
		}
	}

	_, err = managerOf(server.DefaultServer())
	require.NoError(t, err)

	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	db, err := database.OpenDB("db", nil, database.DefaultOptions().WithDBRootPath(dir), logger.NewMemoryLogger())
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	st, err := storeOf(db)
	require.NoError(t, err)
	require.Zero(t, st.LastCommittedTxID())
}

// Any other layout is refused with an error that names the version.
func TestUnknownLayoutIsRefused(t *testing.T) {
	type other struct{ number int }
	require.Zero(t, other{}.number)
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"missing field", second(field[int](reflect.ValueOf(&other{}), "letter")), "has no field letter"},
		{"other type", second(field[string](reflect.ValueOf(&other{}), "number")), "is a int and not a string"},
		{"no struct", second(field[int](reflect.ValueOf(new(int)), "number")), "no pointer to a struct"},
		{"no pointer", second(field[int](reflect.ValueOf(other{}), "number")), "no pointer to a struct"},
		{"nil pointer", second(field[int](reflect.ValueOf((*other)(nil)), "number")), "no pointer to a struct"},
		{"zero server", second(managerOf(&server.ImmuServer{})), "no list of databases"},
		{"other list", second(managerOf(withList(nil))), "no list of databases"},
		{"own list", second(managerOf(withList(ownList{}))), "no pointer to a struct"},
		{"own pointer list", second(managerOf(withList(&ownList{}))), "has no field m"},
		{"own database", second(storeOf(ownDatabase{})), "no pointer to a struct"},
		{"no store", second(storeOf(&ownDatabase{})), "has no field st"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.ErrorIs(t, tc.err, ErrLayout)
			require.ErrorContains(t, tc.err, tc.want)
			require.ErrorContains(t, tc.err, "built with immudb "+immudbVersion())
			require.ErrorContains(t, tc.err, "supported is "+supportedVersion)
		})
	}
}

type ownList struct{ database.DatabaseList }

type ownDatabase struct{ database.DB }

func withList(list database.DatabaseList) *server.ImmuServer {
	srv := server.DefaultServer()
	srv.WithDbList(list)
	return srv
}

func second[T any](_ T, err error) error { return err }
