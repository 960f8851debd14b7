package doc

import (
	"bytes"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestHelpLeavesOutWhatDoesNotConcernDocuments(t *testing.T) {
	root := &cobra.Command{Use: "immuclient"}
	root.PersistentFlags().Int("immudb-port", 3322, "immudb port number")
	root.PersistentFlags().String("audit-username", "", "of the auditor")
	root.AddCommand(NewCommand())
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs([]string{"doc", "get", "--help"})
	require.NoError(t, root.Execute())
	require.Contains(t, out.String(), "--immudb-port")
	require.Contains(t, out.String(), "--unverified")
	require.Contains(t, out.String(), "--at-time")
	require.NotContains(t, out.String(), "--audit")
}
