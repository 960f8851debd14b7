package doc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func indexCommand(f *flags) *cobra.Command {
	group := &cobra.Command{
		Use:     "index",
		Aliases: []string{"indexes"},
		Short:   "Create, list and drop indexes of a collection",
	}
	asGroup(group)
	group.AddCommand(indexCreate(f), indexList(f), indexDrop(f))
	return group
}

func indexCreate(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "create COLL FIELD[,FIELD…]",
		Short: "Make an index of the values of fields",
		Long: `Make an index of the values of up to 8 fields. A FIELD is a dotted path, with - in
front for descending order; put -- before an argument that begins with -.

Writes keep the index from then on. Documents that are there already are added in
the background, while writes go on and also after a restart of the server; the
command waits for that. Interrupting it, or --no-wait, leaves the server at it.

A --unique index refuses two documents with the same values, a missing one being
null; --sparse leaves out documents that have none of the fields, --where those that
do not match a filter. If documents that are there already have the same values,
their ids are named and the index is failed: drop it, mend them, create it again.`,
		Example: `  immuclient doc index create people email --unique --sparse
  immuclient doc index create invoices customer.name,-amount --where '{"paid":false}'
  immuclient doc index create log --name newest -- -time`,
		Args: func(c *cobra.Command, args []string) error {
			err := cobra.ExactArgs(2)(c, args)
			if len(args) == 1 { // -at is --immudb-address t
				err = fmt.Errorf("%w; put -- before fields that begin with -", err)
			}
			return err
		},
	}
	name := c.Flags().String("name", "", "its name; the fields if not given")
	unique := c.Flags().Bool("unique", false, "refuse two documents with the same values")
	sparse := c.Flags().Bool("sparse", false, "leave out documents that have none of the fields")
	where := c.Flags().String("where", "", "leave out documents that do not match this filter")
	noWait := c.Flags().Bool("no-wait", false, "do not wait until documents that are there already are added")
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		o := docclient.IndexOptions{Name: *name, Unique: *unique, Sparse: *sparse}
		var err error
		if o.Fields, err = query.ParseSort(args[1]); err != nil {
			return fmt.Errorf("fields %s: %w", plain(args[1]), err)
		}
		if c.Flags().Changed("name") && *name == "" {
			return errors.New("--name: it is empty")
		}
		if c.Flags().Changed("where") {
			if o.Where, err = jsonArg(c, *where); err == nil && o.Where.IsNull() {
				err = errors.New("it is null; {} stands for all documents")
			}
			if err != nil {
				return fmt.Errorf("--where: %w", err)
			}
		}
		ix, err := client.CreateIndex(ctx, args[0], o)
		if err != nil {
			return err
		}
		if !*noWait {
			if ix, err = waitIndex(ctx, client, p, ix); err != nil {
				return err
			}
		}
		return p.index("created", ix)
	})
}

// waitIndex waits until an index is built, and says now and then how far that is.
func waitIndex(ctx context.Context, client *docclient.Client, p *printer, ix *docclient.Index) (*docclient.Index, error) {
	told := time.Now()
	built, err := client.WaitIndex(ctx, ix.Collection, ix.Options.Name, func(ix *docclient.Index) {
		if ix.State == docclient.IndexBuilding && time.Since(told) >= progress {
			p.notef("%s documents looked at …", thousands(int(ix.Documents)))
			told = time.Now()
		}
	})
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("interrupted; the server goes on building index %s, see immuclient doc index list", plain(ix.Options.Name))
	case errors.Is(err, docclient.ErrIndexFailed):
		return nil, fmt.Errorf("%w; drop the index, mend the documents, and create it again", err)
	case err != nil:
		return nil, fmt.Errorf("index %s was created, but: %w", plain(ix.Options.Name), err)
	}
	return built, nil
}

func indexList(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "list COLL",
		Short: "List the indexes of a collection",
		Args:  cobra.ExactArgs(1),
	}
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		indexes, err := client.Indexes(ctx, args[0])
		if err != nil {
			return err
		}
		if p.json {
			for _, ix := range indexes {
				if err := p.line(appendIndex(nil, ix)); err != nil {
					return err
				}
			}
			return nil
		}
		table := p.table("NAME\tID\tFIELDS\tUNIQUE\tSPARSE\tWHERE\tSTATE\tDOCUMENTS\tAUTHOR\tCREATED IN TRANSACTION")
		for _, ix := range indexes {
			where := "-"
			if !ix.Options.Where.IsNull() {
				where = shown(ix.Options.Where)
			}
			fmt.Fprintf(table, "%s\t%d\t%s\t%t\t%t\t%s\t%s\t%d\t%s\t%d\n", plain(ix.Options.Name), ix.ID, plain(ix.Options.Fields.String()),
				ix.Options.Unique, ix.Options.Sparse, where, ix.State, ix.Documents, plain(ix.Author), ix.CreatedTx)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		for _, ix := range indexes {
			if ix.State == docclient.IndexFailed {
				p.notef("%s", visible([]byte((&docclient.IndexError{Index: ix}).Error()[len("docclient: "):])))
			}
		}
		return nil
	})
}

func indexDrop(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "drop COLL INDEX",
		Short: "End an index",
		Long:  `End an index. Documents stay as they are, and its name is free again.`,
		Args:  cobra.ExactArgs(2),
	}
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		dropped, err := client.DropIndex(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		return p.index("dropped", dropped)
	})
}

// index tells what became of an index.
func (p *printer) index(verb string, ix *docclient.Index) error {
	if p.json {
		return p.line(appendIndex(nil, ix))
	}
	state := ""
	if ix.State != docclient.IndexDropped {
		state = ", " + ix.State.String()
	}
	return p.printf("%s index %s of %s: id %d, transaction %d%s\n", verb, plain(ix.Options.Name), plain(ix.Collection), ix.ID, ix.ChangedTx, state)
}

// appendIndex appends the machine form of an index.
func appendIndex(dst []byte, ix *docclient.Index) []byte {
	text := func(s string) []byte { return value.String(s).AppendJSON(nil) }
	dst = fmt.Appendf(dst, `{"name":%s,"id":%d,"fields":[`, text(ix.Options.Name), ix.ID)
	for i, f := range ix.Options.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = fmt.Appendf(dst, `{"path":%s,"descending":%t}`, text(f.Path.String()), f.Descending)
	}
	dst = fmt.Appendf(dst, `],"unique":%t,"sparse":%t`, ix.Options.Unique, ix.Options.Sparse)
	if !ix.Options.Where.IsNull() {
		dst = ix.Options.Where.AppendJSON(append(dst, `,"where":`...))
	}
	dst = fmt.Appendf(dst, `,"state":%q`, ix.State.String())
	if ix.Failure != "" {
		dst = fmt.Appendf(dst, `,"failure":%s`, text(ix.Failure))
	}
	return fmt.Appendf(dst, `,"documents":%d,"author":%s,"createdTransaction":%d,"readyTransaction":%d,"transaction":%d,"time":"%s"}`,
		ix.Documents, text(ix.Author), ix.CreatedTx, ix.ReadyTx, ix.ChangedTx, ix.Time.UTC().Format(time.RFC3339))
}
