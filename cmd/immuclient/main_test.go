package main

import (
	"testing"

	immuclient "github.com/codenotary/immudb/cmd/immuclient/command"
	"github.com/stretchr/testify/require"
)

// Nothing of immudb's own client is lost, and the one command that is added does
// not take the place of another.
func TestCommands(t *testing.T) {
	var names []string
	for _, c := range newRoot().Commands() {
		names = append(names, c.Name())
	}
	require.Subset(t, names, []string{
		"audit-mode", "check-consistency", "count", "current", "delete", "describe", "exec", "get", "health",
		"history", "info", "it", "login", "logout", "mangen", "query", "reference", "restore", "safeget", "safereference",
		"safeset", "safetx", "safezadd", "scan", "set", "status", "tables", "tx", "use", "version", "zadd", "zscan",
	})
	require.Len(t, names, len(immuclient.NewCommand().Commands())+1)
	require.Contains(t, names, "doc")
}
