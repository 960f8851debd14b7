package doc

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func countCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "count COLL [FILTER]",
		Short: "Count the documents of a collection that match a filter (the server's word: counts cannot be proved)",
		Args:  cobra.RangeArgs(1, 2),
	}
	at := momentFlags(c, false)
	explain := explainFlag(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		filter, err := filterArg(c, args)
		if err != nil {
			return err
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		if *explain {
			x, err := client.ExplainCount(ctx, args[0], moment, filter)
			if err != nil {
				return err
			}
			return p.explanation(x)
		}
		n, _, err := client.CountMatching(ctx, args[0], moment, filter)
		if err != nil {
			return err
		}
		return p.printf("%d\n", n)
	})
}
