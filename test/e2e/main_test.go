// Package e2e tests the programs as their users run them: processes built from
// cmd/immudb and cmd/immuclient, and immudb's own server built from the module it
// comes in, over sockets and files, ended politely or with SIGKILL.
//
// It looks at nothing inside the programs. What can be tested inside one process
// is tested there.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programs are the paths of the binaries under test.
var programs struct {
	immudb     string // ours
	immuclient string // ours
	stock      string // immudb as its makers build it
}

// prebuilt saves the time of building for who works on the tests:
//
//	go test ./test/e2e -programs FOLDER
var prebuilt = flag.String("programs", "", "folder with immudb, immuclient and stock-immudb, to test these instead of building them")

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "immudoc-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	for _, b := range []struct {
		path *string
		name string
		pkg  string
	}{
		{&programs.immudb, "immudb", "github.com/immudoc/immudoc/cmd/immudb"},
		{&programs.immuclient, "immuclient", "github.com/immudoc/immudoc/cmd/immuclient"},
		{&programs.stock, "stock-immudb", "github.com/codenotary/immudb/cmd/immudb"},
	} {
		if *prebuilt != "" {
			*b.path = filepath.Join(*prebuilt, b.name)
			continue
		}
		*b.path = filepath.Join(dir, b.name)
		// Built like the released programs (make build), and not with the race
		// detector that the tests themselves may run under.
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", *b.path, b.pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("building %s: %w\n%s", b.pkg, err, out)
		}
	}
	return m.Run(), nil
}
