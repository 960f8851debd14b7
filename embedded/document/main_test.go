package document_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
)

// Environment of the processes that tests start: the name of what to do, and
// the folder to do it in.
const (
	childVariable  = "IMMUDOC_TEST_CHILD"
	folderVariable = "IMMUDOC_TEST_FOLDER"
)

// children are what the test binary does instead of testing, by name.
var children = map[string]func(dir string) error{
	"write until killed":            writeUntilKilled,
	"write everywhere until killed": writeEverywhereUntilKilled,
	"hold the folder":               holdFolder,
	"compact":                       compactWhileWorking,
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		if err := children[name](os.Getenv(folderVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child is a process that does one of the children in a folder.
func child(t *testing.T, name, dir string, env ...string) *exec.Cmd {
	t.Helper()
	require.Contains(t, children, name)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+name, folderVariable+"="+dir)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// requireSound checks the ledger of an engine against itself.
func requireSound(t testing.TB, e *document.Engine) *check.Report {
	t.Helper()
	r, err := check.Run(context.Background(), e)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	return r
}

// closeSound checks an engine that is still open and closes it.
func closeSound(t testing.TB, e *document.Engine) {
	t.Helper()
	if e.Ready(context.Background()) == nil {
		requireSound(t, e)
	}
	require.NoError(t, e.Close())
}
