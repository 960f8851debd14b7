package doc

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func txCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "tx OPS",
		Short: "Change documents of any collections, all or none",
		Long: `Do a list of operations, over any collections, in one transaction of the ledger, or
none of them. OPS is a JSON array, mostly @FILE or -, of objects with

  op          insert, replace, update or delete
  collection  the name
  id          of the document, as JSON; an insert or replace may have it as _id
  document    of an insert or a replace
  patch       of an update: all that immuclient doc update takes
  upsert      true: an update inserts where there is no document
  if          a filter that the document must match
  ifRevision  the revision that the document must be at; 0: the id was never used

No document may occur in two of them.`,
		Example: `  immuclient doc tx '[{"op":"update","collection":"accounts","id":"ada","patch":{"balance":90},"ifRevision":3},
                      {"op":"insert","collection":"transfers","document":{"from":"ada","amount":10}}]'`,
		Args: cobra.ExactArgs(1),
	}
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		list, err := jsonArg(c, args[0])
		if err != nil {
			return err
		}
		steps, err := stepsOf(list)
		if err != nil {
			return err
		}
		documents, err := client.Transact(ctx, steps...)
		if err != nil {
			return err
		}
		return p.transacted(documents)
	})
}

// stepsOf reads the operations of a transaction.
func stepsOf(list value.Value) ([]docclient.Step, error) {
	if list.Kind() != value.KindArray || list.Len() == 0 {
		return nil, errors.New("OPS: want a JSON array of operations, at least one")
	}
	steps := make([]docclient.Step, 0, list.Len())
	for i, v := range list.Elements() {
		step, err := stepOf(v)
		if err != nil {
			return nil, fmt.Errorf("OPS: operation %d: %w", i, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func stepOf(v value.Value) (s docclient.Step, err error) {
	if v.Kind() != value.KindObject {
		return s, fmt.Errorf(`want an object such as {"op":"insert",...}, not of type %s`, v.Kind())
	}
	given := map[string]bool{}
	for name, field := range v.Members() {
		given[name] = true
		switch name {
		case "op":
			s.Kind, err = operationOf(field)
		case "collection":
			s.Collection, err = textOf(field)
		case "id":
			s.ID = field
		case "document":
			s.Document = field
		case "patch":
			s.Patch = field
		case "upsert":
			var ok bool
			if s.Upsert, ok = field.AsBool(); !ok {
				err = fmt.Errorf("want true or false, not %s", field.AppendJSON(nil))
			}
		case "if":
			s.If = field
		case "ifRevision":
			n, ok := field.AsUint()
			if s.IfRevision = &n; !ok {
				err = fmt.Errorf("want a whole number from 0, not %s", field.AppendJSON(nil))
			}
		default:
			err = errors.New("there is no such field; there are op, collection, id, document, patch, upsert, if, ifRevision")
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range []string{"op", "collection"} {
		if !given[name] {
			return s, fmt.Errorf("%s is missing", name)
		}
	}
	wants := map[string]bool{
		"document": s.Kind == proof.Insert || s.Kind == proof.Replace,
		"patch":    s.Kind == proof.Update,
	}
	for _, name := range []string{"document", "patch"} {
		switch {
		case wants[name] && !given[name]:
			return s, fmt.Errorf("an operation %s wants a %s", s.Kind, name)
		case !wants[name] && given[name]:
			return s, fmt.Errorf("an operation %s has no %s", s.Kind, name)
		}
	}
	return s, nil
}

func operationOf(v value.Value) (proof.Operation, error) {
	text, _ := v.AsString()
	for op := proof.Insert; op <= proof.Delete; op++ {
		if text == op.String() {
			return op, nil
		}
	}
	return 0, fmt.Errorf("want insert, replace, update or delete, not %s", v.AppendJSON(nil))
}

func textOf(v value.Value) (string, error) {
	text, ok := v.AsString()
	if !ok {
		return "", fmt.Errorf("want a string, not %s", v.AppendJSON(nil))
	}
	return text, nil
}

// transacted writes the outcome of a transaction, one line a document.
func (p *printer) transacted(documents []docclient.Document) error {
	if p.json {
		return p.written("", documents)
	}
	done := map[proof.Operation]string{proof.Insert: "inserted", proof.Replace: "replaced", proof.Update: "updated", proof.Delete: "deleted"}
	for i := range documents {
		d := &documents[i]
		if err := p.written(done[d.Operation]+" "+d.Collection, documents[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}
