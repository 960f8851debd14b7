package doc

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func collectionCommand(f *flags) *cobra.Command {
	group := &cobra.Command{
		Use:     "collection",
		Aliases: []string{"collections"},
		Short:   "Create, list, describe, alter and drop collections",
	}
	asGroup(group)
	group.AddCommand(collectionCreate(f), collectionAlter(f), collectionList(f), collectionDescribe(f), collectionHistory(f), collectionDrop(f))
	return group
}

func collectionCreate(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an empty collection",
		Long: `Make an empty collection.

Rules hold for every revision that is written: --schema takes a JSON Schema of draft
2020-12, --write-once paths (dotted, or JSON Pointers) whose values never change once a
document has them, --max-size the most bytes of a document in canonical form. They can
be altered later; docs/RULES.md has the details.`,
		Example: `  immuclient doc collection create people --schema @person.json --write-once born,/name/first
  immuclient doc collection create readings --append-only --evidence document --max-size 1000`,
		Args: cobra.ExactArgs(1),
	}
	evidence := c.Flags().String("evidence", "property", "how finely documents can be proved: property (each value by itself) or document (fastest)")
	appendOnly := c.Flags().Bool("append-only", false, "take inserts and nothing else")
	compress := c.Flags().Bool("compress", false, "store longer documents compressed")
	rules := ruleFlagsOf(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		o := docclient.CollectionOptions{AppendOnly: *appendOnly, Compress: *compress}
		switch *evidence {
		case "property":
			o.Evidence = ptree.ModeProperty
		case "document":
			o.Evidence = ptree.ModeDocument
		default:
			return fmt.Errorf("--evidence %s: want property or document", *evidence)
		}
		if err := rules.create(&o.Rules); err != nil {
			return err
		}
		created, err := client.CreateCollection(ctx, args[0], o)
		if err != nil {
			return err
		}
		return p.collection("created", created)
	})
}

func collectionList(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the collections of the database",
		Args:  cobra.NoArgs,
	}
	at := momentFlags(c, false)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, _ []string) error {
		moment, err := at.moment()
		if err != nil {
			return err
		}
		collections, err := client.Collections(ctx, moment)
		if err != nil {
			return err
		}
		if p.json {
			for _, c := range collections {
				if err := p.object(describe(c)); err != nil {
					return err
				}
			}
			return nil
		}
		table := p.table("NAME\tID\tEVIDENCE\tAPPEND-ONLY\tCOMPRESS\tAUTHOR\tCREATED IN TRANSACTION\tTIME")
		for _, c := range collections {
			d := describe(c)
			fmt.Fprintf(table, "%s\t%d\t%s\t%t\t%t\t%s\t%d\t%s\n", plain(d.Name), d.ID, d.Evidence, d.AppendOnly, d.Compress, plain(d.Author), d.Created, d.Time)
		}
		return table.Flush()
	})
}

func collectionDescribe(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "describe NAME",
		Short: "Show the options and the rules of a collection",
		Args:  cobra.ExactArgs(1),
	}
	at := momentFlags(c, false)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		moment, err := at.moment()
		if err != nil {
			return err
		}
		found, err := client.Collection(ctx, args[0], moment)
		if err != nil {
			return err
		}
		if p.json {
			return p.object(describe(found))
		}
		d := describe(found)
		if err := p.printf("name          %s\nid            %d\nevidence      %s\nappend-only   %t\ncompress      %t\nauthor        %s\ntransactions  created in %d, last changed in %d\ntime          %s\n",
			plain(d.Name), d.ID, d.Evidence, d.AppendOnly, d.Compress, plain(d.Author), d.Created, d.Transaction, d.Time); err != nil {
			return err
		}
		return p.rules(found.Options.Rules)
	})
}

func collectionDrop(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "drop NAME",
		Short: "End a collection",
		Long: `End a collection. Its documents are not found any more, except as of an earlier
transaction or time: the past stays readable and provable.`,
		Args: cobra.ExactArgs(1),
	}
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		dropped, err := client.DropCollection(ctx, args[0])
		if err != nil {
			return err
		}
		return p.collection("dropped", dropped)
	})
}

// description is the machine form of a collection.
type description struct {
	Name       string `json:"name"`
	ID         uint32 `json:"id"`
	Evidence   string `json:"evidence"`
	AppendOnly bool   `json:"appendOnly"`
	Compress   bool   `json:"compress"`

	Schema        *value.Value `json:"schema,omitempty"`
	SchemaOmitted bool         `json:"schemaOmitted,omitempty"`
	WriteOnce     []string     `json:"writeOnce,omitempty"`
	MaxSize       uint64       `json:"maxSize,omitempty"`

	Dropped     bool   `json:"dropped,omitempty"`
	Author      string `json:"author"`
	Created     uint64 `json:"createdTransaction"`
	Transaction uint64 `json:"transaction"`
	Time        string `json:"time"`
}

func describe(c *docclient.Collection) description {
	evidence := "property"
	if c.Options.Evidence == ptree.ModeDocument {
		evidence = "document"
	}
	d := description{
		Name: c.Name, ID: c.ID, Evidence: evidence, AppendOnly: c.Options.AppendOnly, Compress: c.Options.Compress,
		Dropped: c.Dropped, Author: c.Author, Created: c.CreatedTx, Transaction: c.ChangedTx,
		Time:          c.Time.UTC().Format(time.RFC3339),
		SchemaOmitted: c.Options.Rules.SchemaOmitted, WriteOnce: c.Options.Rules.WriteOnce, MaxSize: c.Options.Rules.MaxSize,
	}
	if schema := c.Options.Rules.Schema; !schema.IsNull() {
		d.Schema = &schema
	}
	return d
}

func (p *printer) collection(verb string, c *docclient.Collection) error {
	if p.json {
		return p.object(describe(c))
	}
	return p.printf("%s collection %s: id %d, transaction %d\n", verb, c.Name, c.ID, c.ChangedTx)
}
