package doc

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/rules"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func collectionAlter(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "alter NAME",
		Short: "Alter the rules of a collection",
		Long: `Alter the rules of a collection. What is not named stays as it is. Whatever is written
from then on keeps the rules, also what was on its way; the old rules stay in the
collection's history.

Documents that are there already stay as they are, and must keep the rules when they
are written next. --check alters nothing: it reads all documents and tells which do not
meet the schema and the size that are named, or that the collection has.`,
		Example: `  immuclient doc collection alter people --schema @person.json --check
  immuclient doc collection alter people --schema @person.json
  immuclient doc collection alter people --no-schema --max-size 0 --append-only`,
		Args: cobra.ExactArgs(1),
	}
	flags := ruleFlagsOf(c)
	c.Flags().Bool("no-schema", false, "have no schema any more")
	c.Flags().Bool("no-write-once", false, "let all values change again")
	appendOnly := c.Flags().Bool("append-only", false, "take inserts and nothing else; --append-only=false: take everything again")
	check := c.Flags().Bool("check", false, "alter nothing, tell which documents do not keep the rules")
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		a, err := flags.alter()
		if err != nil {
			return err
		}
		if c.Flags().Changed("append-only") {
			a.AppendOnly = appendOnly
		}
		if *check {
			return p.checkRules(ctx, client, args[0], a)
		}
		if a == (docclient.Alteration{}) {
			return errors.New("nothing to alter is named; see immuclient doc collection alter --help")
		}
		altered, err := client.AlterCollection(ctx, args[0], a)
		if err != nil {
			return err
		}
		return p.collection("altered", altered)
	})
}

// ruleFlags are those of the rules of a collection.
type ruleFlags struct {
	command   *cobra.Command
	flags     *pflag.FlagSet
	schema    string
	writeOnce []string
	maxSize   uint64
}

func ruleFlagsOf(c *cobra.Command) *ruleFlags {
	r := &ruleFlags{command: c, flags: c.Flags()}
	c.Flags().StringVar(&r.schema, "schema", "", "JSON Schema that documents must meet (@FILE, - or JSON)")
	c.Flags().StringSliceVar(&r.writeOnce, "write-once", nil, "paths whose values never change once a document has them")
	c.Flags().Uint64Var(&r.maxSize, "max-size", 0, "most bytes of a document in canonical form; 0 for the limit of all documents")
	return r
}

// create reads the rules of a new collection.
func (r *ruleFlags) create(rules *docclient.Rules) (err error) {
	rules.WriteOnce, rules.MaxSize = r.writeOnce, r.maxSize
	if r.flags.Changed("schema") {
		rules.Schema, err = r.schemaArg()
	}
	return err
}

func (r *ruleFlags) schemaArg() (value.Value, error) {
	schema, err := jsonArg(r.command, r.schema)
	if err == nil && schema.IsNull() {
		err = errors.New("it is null; a schema is an object or a boolean")
	}
	if err != nil {
		return schema, fmt.Errorf("--schema: %w", err)
	}
	return schema, nil
}

// alter reads how the rules of a collection change.
func (r *ruleFlags) alter() (a docclient.Alteration, err error) {
	for _, name := range []string{"schema", "write-once"} {
		if r.flags.Changed(name) && r.flags.Changed("no-"+name) {
			return a, fmt.Errorf("--%s and --no-%s: want one of them", name, name)
		}
	}
	if r.flags.Changed("schema") || r.flags.Changed("no-schema") {
		var schema value.Value
		if r.flags.Changed("schema") {
			if schema, err = r.schemaArg(); err != nil {
				return a, err
			}
		}
		a.Schema = &schema
	}
	if r.flags.Changed("write-once") || r.flags.Changed("no-write-once") {
		a.WriteOnce = &r.writeOnce
	}
	if r.flags.Changed("max-size") {
		a.MaxSize = &r.maxSize
	}
	return a, nil
}

// maxNamed is how many documents that do not keep the rules are named.
const maxNamed = 10

// checkRules reads all documents of a collection and tells which of them do not keep
// its schema and size, altered or as they are.
func (p *printer) checkRules(ctx context.Context, client *docclient.Client, collection string, a docclient.Alteration) error {
	coll, err := client.Collection(ctx, collection, docclient.Moment{})
	if err != nil {
		return err
	}
	kept := coll.Options.Rules
	if a.Schema != nil {
		kept.Schema = *a.Schema
	}
	if a.MaxSize != nil {
		kept.MaxSize = *a.MaxSize
	}
	schema, err := rules.NewSchema(kept.Schema)
	if err != nil {
		return err
	}
	r, err := rules.New(schema, nil, int(min(kept.MaxSize, 1<<31-1)))
	if err != nil {
		return err
	}
	list := client.Scan(ctx, collection, docclient.ListOptions{})
	documents, broken := 0, 0
	for d, err := range list.Documents() {
		if err != nil {
			return err
		}
		documents++
		if err := r.Check(d.ID, canon.Encode(d.Value.Without("_id"))); err != nil {
			if broken++; broken <= maxNamed {
				p.notef("%s", visible([]byte(fmt.Sprintf("%s: %v", jsonOf(d.ID), err))))
			}
		}
	}
	if broken > maxNamed {
		p.notef("… and %d more", broken-maxNamed)
	}
	p.noteTruncated(list)
	if p.json {
		return p.object(map[string]any{"documents": documents, "violations": broken, "transaction": list.Tx()})
	}
	return p.printf("%d of %d documents do not keep the rules, as of transaction %d; nothing is altered\n", broken, documents, list.Tx())
}

// rules shows the rules of a collection.
func (p *printer) rules(r docclient.Rules) error {
	for _, path := range r.WriteOnce {
		if err := p.printf("write-once    %s\n", plain(path)); err != nil {
			return err
		}
	}
	if r.MaxSize > 0 {
		if err := p.printf("max-size      %d\n", r.MaxSize); err != nil {
			return err
		}
	}
	if r.Schema.IsNull() {
		return nil
	}
	return p.printf("schema        %s\n", visible(r.Schema.AppendJSONIndent(nil, "  ")))
}

func collectionHistory(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "history NAME",
		Short: "List the states of the collections that had a name: created, altered, dropped",
		Args:  cobra.ExactArgs(1),
	}
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		states, err := client.CollectionHistory(ctx, args[0])
		if err != nil {
			return err
		}
		if p.json {
			for _, state := range states {
				if err := p.object(describe(state)); err != nil {
					return err
				}
			}
			return nil
		}
		table := p.table("TRANSACTION\tID\tWHAT\tAPPEND-ONLY\tSCHEMA\tWRITE-ONCE\tMAX-SIZE\tAUTHOR\tTIME")
		for _, state := range states {
			d, what, schema, size := describe(state), "altered", "-", "-"
			switch {
			case d.Dropped:
				what = "dropped"
			case d.Transaction == d.Created:
				what = "created"
			}
			if d.Schema != nil || d.SchemaOmitted {
				schema = "yes"
			}
			if d.MaxSize > 0 {
				size = fmt.Sprint(d.MaxSize)
			}
			fmt.Fprintf(table, "%d\t%d\t%s\t%t\t%s\t%d\t%s\t%s\t%s\n", d.Transaction, d.ID, what, d.AppendOnly, schema, len(d.WriteOnce), size, plain(d.Author), d.Time)
		}
		return table.Flush()
	})
}
