package doc

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func insertCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "insert COLL JSON...",
		Short: "Store new documents, all or none",
		Long: `Store new documents, all of them in one transaction or none.

A document without an _id is given one: a UUID version 7. An argument that is a
JSON array stores its elements.`,
		Example: `  immuclient doc insert people '{"_id":"ada","born":{"$date":"1815-12-10T00:00:00Z"}}'
  immuclient doc insert people @ada.json @grace.json`,
		Args: cobra.MinimumNArgs(2),
	}
	ifRevision := ifRevisionFlag(c, ifRevisionOrUnused)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		var ops []docclient.Op
		for n, arg := range args[1:] {
			v, err := jsonArg(c, arg)
			if err != nil && len(args) > 2 {
				return fmt.Errorf("JSON %d of %d: %w", n+1, len(args)-1, err)
			}
			if err != nil {
				return err
			}
			if v.Kind() != value.KindArray {
				ops = append(ops, docclient.Op{Document: v, IfRevision: ifRevision()})
				continue
			}
			for _, element := range v.Elements() {
				ops = append(ops, docclient.Op{Document: element, IfRevision: ifRevision()})
			}
		}
		if len(ops) == 0 {
			return fmt.Errorf("no documents were given")
		}
		documents, err := client.Insert(ctx, args[0], ops...)
		if err != nil {
			return err
		}
		return p.written("inserted", documents)
	})
}
