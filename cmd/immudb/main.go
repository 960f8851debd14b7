// Command immudb is immudb's own server with documents in its databases: every
// flag, sub-command and service of immudb is there, and the document service
// beside them on the same port.
//
// It decides nothing but how the parts are put together.
package main

import (
	"github.com/codenotary/immudb/cmd/helper"

	"github.com/immudoc/immudoc/pkg/server/docserver"
)

func main() {
	setVersion()
	cmd, err := newCommand(docserver.New())
	if err != nil {
		helper.QuitWithUserError(err)
	}
	if err := cmd.Execute(); err != nil {
		helper.QuitWithUserError(err)
	}
}
