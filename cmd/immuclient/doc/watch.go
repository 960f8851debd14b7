package doc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func watchCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "watch COLL [FILTER]",
		Short: "Follow the changes of a collection",
		Long: `Print every revision of a collection, deletions included, one a line in the order of
the ledger: those from --from-tx on, and then those that are written, until the
command is interrupted, the collection is dropped, or --until-now or --limit ends it.

FILTER leaves out revisions that do not match it. A deletion matches if the revision
before it did; a document that is changed so that it matches no longer is not
reported. Each revision is verified, that it matches, and that it stands behind the
one before; that none is left out is the server's word.

At the end a token is printed to standard error: --resume goes on from there, with
nothing missing and nothing twice. With -o json each line has one as well.`,
		Example: `  immuclient doc watch orders '{"status":"paid"}' --from-tx 1 -o json`,
		Args:    cobra.RangeArgs(1, 2),
	}
	var o docclient.WatchOptions
	c.Flags().Uint64Var(&o.FromTx, "from-tx", 0, "first transaction to report; 0 for what is written from now on")
	c.Flags().StringVar(&o.ResumeToken, "resume", "", "go on from this token of an earlier watch with the same filter")
	c.Flags().BoolVar(&o.UntilNow, "until-now", false, "end with what is written already instead of waiting for more")
	limit := c.Flags().Uint64("limit", 0, "most revisions to print; 0 for all")
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if c.Flags().Changed("from-tx") && c.Flags().Changed("resume") {
			return errors.New("--from-tx, --resume: want one of them")
		}
		var err error
		if o.Filter, err = filterArg(c, args); err != nil {
			return err
		}
		watch := client.Watch(ctx, args[0], o)
		err = p.changes(watch, *limit)
		if token := watch.ResumeToken(); token != "" {
			p.notef("resume: %s", token)
		}
		if ctx.Err() != nil && !errors.Is(err, docclient.ErrVerification) { // it is how a watch ends
			return nil
		}
		if err == nil && watch.Dropped() != 0 {
			p.notef("collection %s was dropped by transaction %d: there is nothing more to watch", args[0], watch.Dropped())
		}
		return err
	})
}

// changes prints the changes of a watch as they come, limit at most if that is not 0.
func (p *printer) changes(watch *docclient.Watch, limit uint64) error {
	n := uint64(0)
	for d, err := range watch.Changes() {
		var truncated *docclient.TruncatedError
		switch {
		case errors.As(err, &truncated):
			err = p.truncated(truncated, watch.ResumeToken())
		case err == nil:
			err = p.change(d, watch.ResumeToken())
		}
		if err != nil {
			return err
		}
		if n++; n == limit {
			return nil
		}
	}
	return nil
}

func (p *printer) change(d *docclient.Document, resume string) error {
	if p.json {
		b := append([]byte(`{"id":`), jsonOf(d.ID)...)
		b = append(b, ',')
		b = append(b, appendMeta(nil, d, true)[1:]...)
		return p.line(appendResume(b[:len(b)-1], resume))
	}
	body := ""
	if !d.Deleted() {
		body = ": " + visible(appendDocument(nil, d.Value))
	}
	return p.printf("transaction %d, %s, %s: %s %s, revision %d%s\n",
		d.Tx, d.Time.UTC().Format(time.RFC3339), plain(d.Author), d.Operation, shown(d.ID), d.Revision, body)
}

func (p *printer) truncated(t *docclient.TruncatedError, resume string) error {
	if p.json {
		b := append([]byte(`{"id":`), jsonOf(t.ID)...)
		return p.line(appendResume(fmt.Appendf(b, `,"transaction":%d,"truncated":true`, t.Tx), resume))
	}
	return p.printf("transaction %d: a revision of %s, whose content the database's retention period has dropped\n", t.Tx, shown(t.ID))
}

// appendResume ends a JSON object with a resume token.
func appendResume(dst []byte, token string) []byte {
	dst = append(dst, `,"resume":`...)
	return append(value.String(token).AppendJSON(dst), '}')
}
