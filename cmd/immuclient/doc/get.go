package doc

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func getCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "get COLL ID",
		Short: "Read one document",
		Example: `  immuclient doc get people ada
  immuclient doc get people ada --revision 1 --meta
  immuclient doc get people ada --at-time 2026-01-31T12:00:00Z`,
		Args: cobra.ExactArgs(2),
	}
	idType, at := idFlag(c), momentFlags(c, true)
	meta := metaFlag(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		id, err := parseID(args[1], *idType)
		if err != nil {
			return err
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		document, err := client.Get(ctx, args[0], id, moment)
		if err != nil {
			return hint(err, args[1], *idType)
		}
		return p.document(document, *meta)
	})
}

func metaFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("meta", false, "print revision, transaction, time and author with the document")
}

// reasonNotFound is the document service's word for a document that is not there.
const reasonNotFound = "DOCUMENT_NOT_FOUND"

// hint adds to "document not found" what else the id may have been meant to be.
func hint(err error, arg, idType string) error {
	if idType != "auto" || docclient.Reason(err) != reasonNotFound {
		return err
	}
	id, perr := parseID(arg, idType)
	if perr != nil {
		return err
	}
	if id.Kind() == value.KindString && strings.HasPrefix(arg, "{") {
		return fmt.Errorf("%w\n(the id was taken for a string; filters are for doc find, and for --filter of doc update and doc delete)", err)
	}
	if _, uerr := uuid.Parse(arg); uerr == nil {
		return fmt.Errorf("%w\n(the id was taken for a string; for a UUID add --id-type uuid)", err)
	}
	if id.Kind() == value.KindInt || id.Kind() == value.KindUint {
		return fmt.Errorf("%w\n(the id was taken for a number; for a string add --id-type string)", err)
	}
	return err
}
