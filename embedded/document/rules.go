package document

import (
	"context"
	"fmt"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/rules"
	"github.com/immudoc/immudoc/internal/sequencer"
)

// MaxDocumentSize is how many bytes a document may have in canonical form, without
// its _id, whatever the rules of its collection.
const MaxDocumentSize = record.MaxBody

// Rules of a collection hold for every revision that is written while it has them.
// Documents that are there already stay as they are; their next revision must keep
// the rules.
type Rules struct {
	// Schema is a JSON Schema, draft 2020-12, that documents meet; Null for none.
	Schema value.Value
	// WriteOnce are paths of values that never change once a document has them, each
	// dotted or a JSON Pointer; they are given back as JSON Pointers.
	WriteOnce []string
	// MaxSize is how many bytes a document may have in canonical form, without its
	// _id; 0 for MaxDocumentSize.
	MaxSize int
}

func rulesOf(r *rules.Rules) Rules {
	if r == nil {
		return Rules{}
	}
	return Rules{Schema: r.Schema.Source(), WriteOnce: slices.Clone(r.WriteOnce), MaxSize: r.MaxSize}
}

func (r Rules) check() (*rules.Rules, error) {
	schema, err := rules.NewSchema(r.Schema)
	if err != nil {
		return nil, err
	}
	return rules.New(schema, r.WriteOnce, r.MaxSize)
}

// Alteration says what becomes of a collection's rules. What is nil stays as it is.
type Alteration struct {
	AppendOnly *bool
	Schema     *value.Value // Null to have none
	WriteOnce  *[]string    // empty to have none
	MaxSize    *int         // 0 to have none
}

// AlterCollection alters the rules of a collection: all that is written after it
// keeps them, also what was on its way before. It does not look at the documents.
func (e *Engine) AlterCollection(ctx context.Context, name string, a Alteration) (Collection, error) {
	if a == (Alteration{}) {
		return Collection{}, fmt.Errorf("%w: nothing to alter is named", ErrInvalidRules)
	}
	// The caller may go away, and with it what it points to.
	change := &catalog.Alteration{AppendOnly: copied(a.AppendOnly), MaxSize: copied(a.MaxSize)}
	if a.WriteOnce != nil {
		paths := slices.Clone(*a.WriteOnce)
		change.WriteOnce = &paths
	}
	if a.Schema != nil {
		schema, err := rules.NewSchema(*a.Schema)
		if err != nil {
			return Collection{}, err
		}
		if change.Schema = schema; schema == nil {
			change.Schema = rules.NoSchema
		}
	}
	// What can be known to be wrong is refused here.
	if _, err := (&catalog.Collection{}).Alter(change); err != nil {
		return Collection{}, err
	}
	return e.changeCatalog(ctx, &sequencer.Op{Collection: name, Alter: change})
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
