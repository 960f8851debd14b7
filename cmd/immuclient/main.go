// Command immuclient is immudb's own command line client, all its commands and
// flags intact, with the command group doc for documents.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/codenotary/immudb/cmd/helper"
	immuclient "github.com/codenotary/immudb/cmd/immuclient/command"
	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/cmd/immuclient/doc"
)

func main() { os.Exit(run()) }

func newRoot() *cobra.Command {
	root := immuclient.NewCommand()
	root.AddCommand(doc.NewCommand())
	return root
}

// run runs the command line and returns the exit code.
func run() int {
	// immuclient.Execute does the same, but where a flag stands first it asks on standard
	// output for another order, among the results.
	err := newRoot().Execute()
	var failure *doc.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failure):
		if !failure.Silent() {
			fmt.Fprintln(os.Stderr, failure)
		}
		return failure.Code
	case strings.HasPrefix(err.Error(), "unknown command"):
		return 1 // cobra has said so
	default:
		helper.QuitWithUserError(err)
		return 1
	}
}
