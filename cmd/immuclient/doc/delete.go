package doc

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func deleteCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "delete COLL (ID | --filter FILTER)",
		Short: "Delete a document, or all that match a filter",
		Long: `Delete a document. The deletion is a revision of its own (a tombstone), which can
be proved as every other; the history stays readable.` + matchingLong,
		Example: `  immuclient doc delete people ada
  immuclient doc delete people --filter '{"left":{"$lt":{"$date":"2020-01-01T00:00:00Z"}}}'`,
	}
	idType, ifRevision, condition, matching := idFlag(c), ifRevisionFlag(c, ifRevisionOfDocument), ifFlag(c), matchingFlagsOf(c)
	c.Args = matching.args(2)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if err := matching.check(); err != nil {
			return err
		}
		if matching.given() {
			return matching.run(ctx, p, args[0], *idType, "deleted", func(ctx context.Context, where value.Value, o docclient.MatchingOptions) (*docclient.Matched, error) {
				return client.DeleteMatching(ctx, args[0], where, o)
			})
		}
		id, err := parseID(args[1], *idType)
		if err != nil {
			return err
		}
		where, err := condition()
		if err != nil {
			return err
		}
		documents, err := client.Delete(ctx, args[0], docclient.Op{ID: id, IfRevision: ifRevision(), If: where})
		if err != nil {
			return hint(err, args[1], *idType)
		}
		return p.written("deleted", documents)
	})
}
