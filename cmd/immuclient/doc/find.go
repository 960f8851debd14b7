package doc

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func findCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "find COLL",
		Short: "List the documents of a collection in the order of their ids",
		Args:  cobra.RangeArgs(1, 2),
	}
	at, meta := momentFlags(c, false), metaFlag(c)
	limit := c.Flags().Uint32("limit", 0, "most documents to print; 0 for all")
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if err := noFilter(args); err != nil {
			return err
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		list := client.Scan(ctx, args[0], docclient.ListOptions{At: moment, Limit: *limit})
		for document, err := range list.Documents() {
			if err != nil {
				return err
			}
			if err := p.document(document, *meta); err != nil {
				return err
			}
		}
		p.noteTruncated(list)
		return nil
	})
}

// noFilter refuses the optional filter argument, which this release does not know.
func noFilter(args []string) error {
	if len(args) > 1 && args[1] != "{}" {
		return errors.New("filters come with a later release: leave FILTER out to have all documents")
	}
	return nil
}
