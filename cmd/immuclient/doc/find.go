package doc

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func findCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "find COLL [FILTER]",
		Short: "List the documents of a collection that match a filter",
		Long: `List the documents of a collection that match a filter, in the order of their ids
or another one.

FILTER is an object of MongoDB's query language: {"status":"paid"},
{"amount":{"$gt":10}}, {"$or":[{"tags":"a"},{"lines":{"$elemMatch":{"n":1}}}]}.
docs/QUERIES.md has the operators, and what differs. Each document is verified, and
that it matches; that none is missing is the server's word.

With --explain the command says which indexes answer the query.

With --prove the command writes evidence of each document found instead, one evidence
file a line, to be checked without a server (immuclient doc verify FILE): all of a
document, and all of them anchored in the state that is printed.`,
		Example: `  immuclient doc find invoices '{"customer.name":"Ada","amount":{"$gte":10}}' --sort -amount --project '{"amount":1}' --limit 5
  immuclient doc find invoices '{"amount":{"$gte":10}}' --prove --out large.ndjson --state-out state.json`,
		Args: cobra.RangeArgs(1, 2),
	}
	at, meta := momentFlags(c, false), metaFlag(c)
	limit := c.Flags().Uint32("limit", 0, "most documents to print; 0 for all")
	skip := c.Flags().Uint64("skip", 0, "documents to leave out at the start")
	sort := c.Flags().String("sort", "", `order of the documents: paths, each with - in front for descending (a,-b.c), or {"a":1,"b.c":-1}; the ids' if not given`)
	project := c.Flags().String("project", "", `what to print of each: an object of paths with 1 to include or 0 to exclude, {"a":1,"b.c":1}`)
	prove := proveListFlags(c)
	explain := explainFlag(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if err := prove.check(client); err != nil {
			return err
		}
		filter, err := filterArg(c, args)
		if err != nil {
			return err
		}
		projection, err := projectionFlag(c, *project)
		if err != nil {
			return err
		}
		var order query.Sort
		if *sort != "" {
			if order, err = query.ParseSort(*sort); err != nil {
				return fmt.Errorf("--sort: %w", err)
			}
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		options := docclient.ListOptions{At: moment, Limit: *limit, Skip: *skip, Filter: filter, Sort: order}
		if *explain {
			x, err := client.Explain(ctx, args[0], options)
			if err != nil {
				return err
			}
			return p.explanation(x)
		}
		list := client.Scan(ctx, args[0], options)
		if prove.prove {
			return prove.run(p, args[0], list)
		}
		for document, err := range list.Documents() {
			if err != nil {
				return err
			}
			document.Value = projection.Apply(document.Value)
			if err := p.document(document, *meta); err != nil {
				return err
			}
		}
		p.noteTruncated(list)
		return nil
	})
}

// filterArg reads the optional filter behind the collection, Null if there is none.
func filterArg(c *cobra.Command, args []string) (value.Value, error) {
	if len(args) < 2 {
		return value.Null(), nil
	}
	v, err := jsonArg(c, args[1])
	if err != nil {
		return v, fmt.Errorf("FILTER: %w", err)
	}
	return v, nil
}

func projectionFlag(c *cobra.Command, text string) (query.Projection, error) {
	if text == "" {
		return query.Projection{}, nil
	}
	v, err := jsonArg(c, text)
	if err != nil {
		return query.Projection{}, fmt.Errorf("--project: %w", err)
	}
	return query.ParseProjection(v)
}
