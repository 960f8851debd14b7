package filter

import (
	"errors"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// idField is the property under which a document shows its id, which stored bodies leave out.
const idField = "_id"

// MatchEncoded is Match for a document as it is stored: its body in canonical CBOR without _id, and its id in canonical
// CBOR. It decodes only the values that the filter looks at. Bytes that are not canonical are an error, as far as they are
// looked at.
func (f Filter) MatchEncoded(body, id []byte) (bool, error) {
	if f.root == nil {
		return true, nil
	}
	var bad error
	root := encoded{cursor: canon.CursorOn(body), id: id, bad: &bad}
	matched := match(f.root, root)
	return matched && bad == nil, bad
}

// encoded is a node of a document in canonical CBOR.
type encoded struct {
	cursor canon.Cursor
	id     []byte // at the root of a document, its id
	bad    *error // what was wrong with the bytes
}

func (e encoded) fail(err error) { *e.bad = errors.Join(*e.bad, err) }

func (e encoded) head() (value.Kind, int) {
	kind, children, err := e.cursor.Head()
	if err != nil {
		e.fail(err)
	}
	return kind, children
}

func (e encoded) kind() value.Kind {
	kind, _ := e.head()
	return kind
}

func (e encoded) size() int {
	_, children := e.head()
	return children
}

func (e encoded) at(c canon.Cursor) encoded { return encoded{cursor: c, bad: e.bad} }

func (e encoded) member(key string) (encoded, bool) {
	if e.id != nil && key == idField {
		return e.at(canon.CursorOn(e.id)), true
	}
	c, ok := e.cursor.Member(key)
	return e.at(c), ok
}

func (e encoded) element(i int) (encoded, bool) {
	c, ok := e.cursor.Element(i)
	return e.at(c), ok
}

func (e encoded) elements(visit func(encoded) bool) bool {
	stopped := false
	err := e.cursor.Elements(func(c canon.Cursor) bool {
		stopped = visit(e.at(c))
		return !stopped
	})
	if err != nil {
		e.fail(err)
	}
	return stopped
}

func (e encoded) value() value.Value {
	v, err := e.cursor.Decode()
	switch {
	case err != nil:
		e.fail(err)
	case e.id != nil: // the document as a whole
		if id, err := canon.Decode(e.id); err == nil {
			return v.With(idField, id)
		}
	}
	return v
}
