package doc

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func updateCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "update COLL (ID | --filter FILTER) PATCH",
		Short: "Change some properties of a document, or of all that match a filter",
		Long: `Change some properties of a document. PATCH is one of

  a merge patch (RFC 7396): null removes a property, an object merges with the object
  that is there, anything else replaces;
  update operators of MongoDB, all keys of the object beginning with $: $set $unset
  $inc $mul $min $max $rename $currentDate $push $addToSet $pull $pop;
  with --patch a JSON Patch (RFC 6902): a list of operations add, remove, replace,
  move, copy and test, one after the other.

It is applied to the newest revision by the server, so changes of different
properties never conflict. --if and --if-revision make it depend on what is there;
--upsert inserts a document where there is none; --return shows the document after
or before the change. docs/UPDATES.md has the details.` + matchingLong,
		Example: `  immuclient doc update people ada '{"address":{"city":"London"},"phone":null}'
  immuclient doc update people ada '{"$inc":{"visits":1},"$push":{"tags":"new"}}' --upsert --return after
  immuclient doc update people ada --patch '[{"op":"test","path":"/visits","value":1},{"op":"remove","path":"/tags/0"}]'
  immuclient doc update accounts 7 '{"$inc":{"amount":-20}}' --if '{"amount":{"$gte":20}}'
  immuclient doc update people --filter '{"address.city":"London"}' '{"zone":"UTC"}' --batch 500`,
	}
	idType, ifRevision, condition, matching := idFlag(c), ifRevisionFlag(c, ifRevisionOfDocument), ifFlag(c), matchingFlagsOf(c)
	jsonPatch := c.Flags().Bool("patch", false, "PATCH is a JSON Patch (RFC 6902)")
	upsert := c.Flags().Bool("upsert", false, "where there is no document, insert what PATCH makes of one that has nothing but the id")
	returns := returnFlag(c)
	c.Args = matching.args(3)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if err := matching.check(); err != nil {
			return err
		}
		op := docclient.Op{Upsert: *upsert, IfRevision: ifRevision()}
		var err error
		if op.Return, err = returns.which(); err != nil {
			return err
		}
		if op.If, err = condition(); err != nil {
			return err
		}
		if op.Patch, err = changeArg(c, args[len(args)-1], *jsonPatch); err != nil {
			return err
		}
		if matching.given() {
			return matching.run(ctx, p, args[0], *idType, "updated", func(ctx context.Context, where value.Value, o docclient.MatchingOptions) (*docclient.Matched, error) {
				return client.UpdateMatching(ctx, args[0], where, op.Patch, o)
			})
		}
		if op.ID, err = parseID(args[1], *idType); err != nil {
			return err
		}
		documents, err := client.Update(ctx, args[0], op)
		if err != nil {
			return hint(err, args[1], *idType)
		}
		if op.Return != docclient.ReturnVerified {
			return returns.print(p, &documents[0])
		}
		return p.changed(documents)
	})
}

// changeArg reads what an update does. A list is a JSON Patch, which has to be said.
func changeArg(c *cobra.Command, arg string, jsonPatch bool) (value.Value, error) {
	v, err := jsonArg(c, arg)
	if err != nil {
		return v, err
	}
	change, err := update.Parse(v)
	switch {
	case v.Kind() == value.KindArray && !jsonPatch:
		return v, errors.New("a list of operations is a JSON Patch (RFC 6902): add --patch")
	case err != nil:
		return v, err
	case jsonPatch && !change.IsJSONPatch():
		return v, errors.New("--patch: a JSON Patch is a list of operations, this is an object; leave --patch out for a merge patch and for operators")
	}
	return v, nil
}

// returned is the flag --return.
type returned struct {
	command *cobra.Command
	text    string
}

func returnFlag(c *cobra.Command) *returned {
	r := &returned{command: c}
	c.Flags().StringVar(&r.text, "return", "", "show the document, instead of what was written: before or after the change")
	return r
}

func (r *returned) which() (docclient.Return, error) {
	switch {
	case !r.command.Flags().Changed("return"):
		return docclient.ReturnVerified, nil
	case r.text == "after":
		return docclient.ReturnAfter, nil
	case r.text == "before":
		return docclient.ReturnBefore, nil
	}
	return 0, fmt.Errorf("--return %s: want before or after", r.text)
}

// print shows the document that was asked for; null where there was none before.
func (r *returned) print(p *printer, d *docclient.Document) error {
	switch {
	case r.text == "after":
		return p.document(d, false)
	case d.Before != nil:
		return p.document(d.Before, false)
	}
	p.notef("document %s of %s is new", shown(d.ID), plain(d.Collection))
	return p.value(value.Null())
}
