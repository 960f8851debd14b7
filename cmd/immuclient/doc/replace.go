package doc

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func replaceCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:     "replace COLL ID JSON",
		Short:   "Put a whole document in place of an existing one",
		Example: `  immuclient doc replace people ada @ada.json`,
		Args:    cobra.ExactArgs(3),
	}
	idType, ifRevision, condition := idFlag(c), ifRevisionFlag(c, ifRevisionOfDocument), ifFlag(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		id, err := parseID(args[1], *idType)
		if err != nil {
			return err
		}
		document, err := jsonArg(c, args[2])
		if err != nil {
			return err
		}
		where, err := condition()
		if err != nil {
			return err
		}
		documents, err := client.Replace(ctx, args[0], docclient.Op{ID: id, Document: document, IfRevision: ifRevision(), If: where})
		if err != nil {
			return hint(err, args[1], *idType)
		}
		return p.written("replaced", documents)
	})
}
