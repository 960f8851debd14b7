package doc

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func countCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "count COLL",
		Short: "Count the documents of a collection (the server's word: counts cannot be proved)",
		Args:  cobra.RangeArgs(1, 2),
	}
	at := momentFlags(c, false)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if err := noFilter(args); err != nil {
			return err
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		n, _, err := client.Count(ctx, args[0], moment)
		if err != nil {
			return err
		}
		return p.printf("%d\n", n)
	})
}
