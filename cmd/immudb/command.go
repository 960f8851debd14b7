package main

import (
	"github.com/codenotary/immudb/cmd/docs/man"
	"github.com/codenotary/immudb/cmd/helper"
	immudb "github.com/codenotary/immudb/cmd/immudb/command"
	"github.com/codenotary/immudb/cmd/immudb/command/service"
	"github.com/codenotary/immudb/cmd/version"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/spf13/cobra"
)

// appName names the program, its configuration file and, in capitals, the
// prefix of its environment variables.
const appName = "immudb"

// newCommand returns immudb's command line for a server.
func newCommand(srv server.ImmuServerIf) (*cobra.Command, error) {
	line := immudb.Commandline{P: helper.NewPlauncher()}
	cmd, err := line.NewRootCmd(srv)
	if err != nil {
		return nil, err
	}
	// The configuration that NewRootCmd loads is an unexported field of line,
	// without a name; this one has it.
	config := helper.Config{Name: appName}
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return config.LoadConfig(cmd) }

	cmd.AddCommand(man.Generate(cmd, appName, "./cmd/docs/man/immudb"))
	cmd.AddCommand(version.VersionCmd())
	service.NewCommandLine().Register(cmd)
	return cmd, nil
}
