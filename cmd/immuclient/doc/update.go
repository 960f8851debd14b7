package doc

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func updateCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "update COLL ID PATCH",
		Short: "Change some properties of a document",
		Long: `Change some properties of a document by a merge patch (RFC 7396): null removes a
property, an object merges with the object that is there, anything else replaces.`,
		Example: `  immuclient doc update people ada '{"address":{"city":"London"},"phone":null}'`,
		Args:    cobra.ExactArgs(3),
	}
	idType, ifRevision := idFlag(c), ifRevisionFlag(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		id, err := parseID(args[1], *idType)
		if err != nil {
			return err
		}
		patch, err := jsonArg(c, args[2])
		if err != nil {
			return err
		}
		documents, err := client.Update(ctx, args[0], docclient.Op{ID: id, Patch: patch, IfRevision: ifRevision()})
		if err != nil {
			return hint(err, args[1], *idType)
		}
		return p.written("updated", documents)
	})
}
