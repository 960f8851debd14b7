package doc

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func updateCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "update COLL (ID | --filter FILTER) PATCH",
		Short: "Change some properties of a document, or of all that match a filter",
		Long: `Change some properties of a document by a merge patch (RFC 7396): null removes a
property, an object merges with the object that is there, anything else replaces.` + matchingLong,
		Example: `  immuclient doc update people ada '{"address":{"city":"London"},"phone":null}'
  immuclient doc update people --filter '{"address.city":"London"}' '{"zone":"UTC"}' --batch 500`,
	}
	idType, ifRevision, matching := idFlag(c), ifRevisionFlag(c), matchingFlagsOf(c)
	c.Args = matching.args(3)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if err := matching.check(); err != nil {
			return err
		}
		patch, err := jsonArg(c, args[len(args)-1])
		if err != nil {
			return err
		}
		if matching.given() {
			return matching.run(ctx, p, args[0], *idType, "updated", func(ctx context.Context, where value.Value, o docclient.MatchingOptions) (*docclient.Matched, error) {
				return client.UpdateMatching(ctx, args[0], where, patch, o)
			})
		}
		id, err := parseID(args[1], *idType)
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
