package doc

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func historyCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "history COLL ID",
		Short: "List the revisions of a document, oldest first",
		Args:  cobra.ExactArgs(2),
	}
	idType, at := idFlag(c), momentFlags(c, false)
	limit := c.Flags().Uint32("limit", 0, "most revisions to print; 0 for all")
	descending := c.Flags().Bool("descending", false, "newest revision first")
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		id, err := parseID(args[1], *idType)
		if err != nil {
			return err
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		list := client.History(ctx, args[0], id, docclient.ListOptions{At: moment, Limit: *limit, Descending: *descending})
		if p.json {
			for document, err := range list.Documents() {
				if err != nil {
					return hint(err, args[1], *idType)
				}
				if err := p.line(appendMeta(nil, document, true)); err != nil {
					return err
				}
			}
			return nil
		}
		var table *tabwriter.Writer // a document has at least one revision, so the first one brings the header
		for d, err := range list.Documents() {
			if err != nil {
				if table != nil {
					_ = table.Flush() // what came before is right
				}
				return hint(err, args[1], *idType)
			}
			if table == nil {
				table = p.table("REVISION\tTRANSACTION\tTIME\tAUTHOR\tOPERATION\tDOCUMENT")
			}
			body := "-"
			if !d.Deleted() {
				body = visible(appendDocument(nil, d.Value))
			}
			fmt.Fprintf(table, "%d\t%d\t%s\t%s\t%s\t%s\n", d.Revision, d.Tx, d.Time.UTC().Format(time.RFC3339), plain(d.Author), d.Operation, body)
		}
		if table == nil {
			return nil
		}
		return table.Flush()
	})
}
