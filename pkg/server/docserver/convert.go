package docserver

import (
	"crypto/sha256"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// decode reads a document, patch or id from a request's field.
func decode(encoding schema.Encoding, field string, b []byte) (v value.Value, err error) {
	switch {
	case len(b) == 0:
		err = fmt.Errorf("%w: it is empty", document.ErrInvalidDocument)
	case encoding == schema.Encoding_ENCODING_CBOR:
		v, err = canon.Decode(b)
	case encoding == schema.Encoding_ENCODING_UNSPECIFIED, encoding == schema.Encoding_ENCODING_JSON:
		v, err = value.ParseJSON(b)
	default:
		err = fmt.Errorf("%w: unknown encoding %d", document.ErrInvalidOptions, encoding)
	}
	return v, inField(field, err)
}

// decodeID reads an id, which may be left out where optional.
func decodeID(encoding schema.Encoding, field string, b []byte, optional bool) (value.Value, error) {
	if len(b) == 0 {
		if optional {
			return value.Null(), nil
		}
		return value.Null(), inField(field, fmt.Errorf("%w: it is missing", document.ErrInvalidID))
	}
	return decode(encoding, field, b)
}

// decodeFilter reads a filter, none if it is empty, and the hash by which page
// tokens know it.
func decodeFilter(encoding schema.Encoding, b []byte) (filter.Filter, value.Value, error) {
	if len(b) == 0 {
		return filter.Filter{}, value.Null(), nil
	}
	v, err := decode(encoding, "filter", b)
	if err != nil {
		return filter.Filter{}, value.Null(), err
	}
	f, err := filter.Parse(v)
	hash := sha256.Sum256(canon.Encode(v))
	return f, value.Bytes(hash[:]), inField("filter", err)
}

// decodeSort reads the order in a field of a request.
func decodeSort(field string, fields []*schema.SortField) (query.Sort, error) {
	var s query.Sort
	for i, f := range fields {
		if err := s.Add(f.GetPath(), f.GetDescending()); err != nil {
			return nil, inField(fmt.Sprintf("%s[%d]", field, i), err)
		}
	}
	return s, nil
}

// encode writes a value in the encoding of the request.
func encode(encoding schema.Encoding, v value.Value) []byte {
	if encoding == schema.Encoding_ENCODING_CBOR {
		return canon.Encode(v)
	}
	if v.Kind() == value.KindObject {
		return document.AppendJSON(nil, v)
	}
	return v.AppendJSON(nil)
}

// moment translates a moment; a revision only where one document is read.
func moment(m *schema.Moment, revisionAllowed bool) (document.Moment, error) {
	switch at := m.GetAt().(type) {
	case *schema.Moment_Transaction:
		if at.Transaction == 0 {
			return document.Moment{}, inField("at.transaction", fmt.Errorf("%w: the first transaction is 1", document.ErrInvalidMoment))
		}
		return document.Moment{Tx: at.Transaction}, nil
	case *schema.Moment_Time:
		if err := at.Time.CheckValid(); err != nil {
			return document.Moment{}, inField("at.time", fmt.Errorf("%w: %w", document.ErrInvalidMoment, err))
		}
		t := at.Time.AsTime()
		if t.IsZero() {
			t = t.Add(time.Nanosecond) // the zero time means now
		}
		return document.Moment{Time: t}, nil
	case *schema.Moment_Revision:
		if !revisionAllowed {
			return document.Moment{}, inField("at.revision", fmt.Errorf("%w: a revision picks one document only", document.ErrInvalidMoment))
		}
		if at.Revision == 0 {
			return document.Moment{}, inField("at.revision", fmt.Errorf("%w: the first revision is 1", document.ErrInvalidMoment))
		}
		return document.Moment{Revision: at.Revision}, nil
	default:
		return document.Moment{}, nil
	}
}

// message translates a revision, with the document itself unless it is left
// out or deleted.
func message(d *document.Document, encoding schema.Encoding, leaveOut bool) (*schema.Document, error) {
	m := &schema.Document{
		Id:          encode(encoding, d.ID),
		Revision:    d.Revision,
		Transaction: d.Tx,
		Time:        timestamppb.New(d.Time),
		Author:      d.Author,
		Operation:   schema.Operation(d.Operation),
	}
	if leaveOut || d.Deleted() {
		return m, nil
	}
	v, err := d.Value()
	if err != nil {
		return nil, err
	}
	m.Document = encode(encoding, v)
	return m, nil
}

func collectionMessage(c document.Collection) *schema.Collection {
	evidence := schema.EvidenceMode_EVIDENCE_MODE_PROPERTY
	if c.Options.Evidence == ptree.ModeDocument {
		evidence = schema.EvidenceMode_EVIDENCE_MODE_DOCUMENT
	}
	return &schema.Collection{
		Id: c.ID, Name: c.Name, Dropped: c.Dropped, Author: c.Author,
		Options:            &schema.CollectionOptions{Evidence: evidence, AppendOnly: c.Options.AppendOnly, Compress: c.Options.Compress},
		CreatedTransaction: c.CreatedTx, Transaction: c.ChangedTx, Time: timestamppb.New(c.Time),
		Rules: rulesMessage(c.Options.Rules),
	}
}
