package doc

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func aggregateCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "aggregate COLL PIPELINE",
		Short: "Run a pipeline over the documents of a collection",
		Long: `Run a pipeline over the documents of a collection.

PIPELINE is an array of MongoDB's stages: $match $project $addFields $group $sort
$skip $limit $unwind $count $lookup. docs/QUERIES.md has the accumulators and
expressions, and what differs. $lookup without "from" and "foreignField" follows the
DBRefs at "localField".

The client runs the pipeline, over documents that it verifies; that none is missing is
the server's word. With --unverified the server runs it, and sends no more than the
results.`,
		Example: `  immuclient doc aggregate invoices '[{"$match":{"status":"paid"}},{"$group":{"_id":"$customer","total":{"$sum":"$amount"}}},{"$sort":{"total":-1}}]'`,
		Args:    cobra.ExactArgs(2),
	}
	at := momentFlags(c, false)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		pipeline, err := pipelineArg(c, args[1])
		if err != nil {
			return err
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		for result, err := range client.Aggregate(ctx, args[0], pipeline, moment).All() {
			if err != nil {
				return err
			}
			if err := p.result(result); err != nil {
				return err
			}
		}
		return nil
	})
}

// pipelineArg reads a pipeline, whose $sort keeps its order.
func pipelineArg(c *cobra.Command, arg string) (value.Value, error) {
	b, name, err := readArg(c, arg)
	if err != nil {
		return value.Value{}, fmt.Errorf("PIPELINE: %w", err)
	}
	v, err := aggregate.ParseJSON(b)
	if err != nil {
		return v, fmt.Errorf("PIPELINE: %s: %w", name, err)
	}
	return v, nil
}

func distinctCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "distinct COLL FIELD [FILTER]",
		Short: "List the distinct values of a field of a collection's documents",
		Long: `List the distinct values of a field of the documents of a collection, in order; of
arrays the elements. FIELD is a path (a, b.c), FILTER chooses documents as for find.

Values come from documents that are verified; that none is missing is the server's
word. With --unverified the server sends no more than the values.`,
		Example: `  immuclient doc distinct invoices customer.country '{"status":"paid"}'`,
		Args:    cobra.RangeArgs(2, 3),
	}
	at := momentFlags(c, false)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		filter, err := filterArg(c, args[1:])
		if err != nil {
			return err
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		for v, err := range client.Distinct(ctx, args[0], args[1], filter, moment).All() {
			if err != nil {
				return err
			}
			if err := p.value(v); err != nil {
				return err
			}
		}
		return nil
	})
}
