package doc

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func deleteCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "delete COLL ID",
		Short: "Delete a document",
		Long: `Delete a document. The deletion is a revision of its own (a tombstone), which can
be proved as every other; the history stays readable.`,
		Args: cobra.ExactArgs(2),
	}
	idType, ifRevision := idFlag(c), ifRevisionFlag(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		id, err := parseID(args[1], *idType)
		if err != nil {
			return err
		}
		documents, err := client.Delete(ctx, args[0], docclient.Op{ID: id, IfRevision: ifRevision()})
		if err != nil {
			return hint(err, args[1], *idType)
		}
		return p.written("deleted", documents)
	})
}
