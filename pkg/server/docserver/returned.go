package docserver

import (
	"context"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// returning finds the revisions that updates ask for beside their receipts. Their
// proofs have transaction sections of their own.
type returning struct {
	call     *call
	encoding schema.Encoding
	prover   *prover
}

func newReturning(c *call, encoding schema.Encoding, receipts *prover) *returning {
	r := &returning{call: c, encoding: encoding}
	if receipts != nil {
		own := *receipts
		own.transaction = nil
		r.prover = &own
	}
	return r
}

// document returns the revision that is asked for of a document that was written,
// nil for none.
func (r *returning) document(ctx context.Context, d *document.Document, which schema.ReturnDocument) (*schema.Document, error) {
	switch {
	case which == schema.ReturnDocument_RETURN_DOCUMENT_AFTER:
		return message(d, r.encoding, false)
	case which != schema.ReturnDocument_RETURN_DOCUMENT_BEFORE || d.Operation == proof.Insert:
		return nil, nil
	}
	before, err := r.call.engine.Revision(ctx, d.Collection, d.ID, document.Moment{Revision: d.Revision - 1})
	if err == nil && before.CollectionID != d.CollectionID {
		err = fmt.Errorf("%w: %s was dropped and made again meanwhile", document.ErrCollectionNotFound, d.Collection)
	}
	if err != nil {
		return nil, err
	}
	m, err := message(before, r.encoding, r.prover != nil)
	if err != nil {
		return nil, err
	}
	m.Proof, err = r.prover.prove(ctx, before, whole)
	return m, err
}

// decodeCondition reads the filter that a document must match to be changed, none if
// it is empty.
func decodeCondition(encoding schema.Encoding, b []byte) (filter.Filter, error) {
	if len(b) == 0 {
		return filter.Filter{}, nil
	}
	v, err := decode(encoding, "if_matches", b)
	if err != nil {
		return filter.Filter{}, err
	}
	f, err := filter.Parse(v)
	return f, inField("if_matches", err)
}
