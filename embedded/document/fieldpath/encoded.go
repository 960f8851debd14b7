package fieldpath

import (
	"errors"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// idField is the property under which a document shows its id, which stored bodies leave out.
const idField = "_id"

// Encoded is a node of a document as it is stored. Only what is looked at is decoded.
type Encoded struct {
	cursor canon.Cursor
	id     []byte // at the root of a document, its id
	bad    *error
}

// EncodedNode returns the root of a document: its body in canonical CBOR without _id, and its id in canonical CBOR. What
// is wrong with the bytes, as far as they are looked at, is found in *bad.
func EncodedNode(body, id []byte, bad *error) Encoded {
	return Encoded{cursor: canon.CursorOn(body), id: id, bad: bad}
}

func (e Encoded) fail(err error) { *e.bad = errors.Join(*e.bad, err) }

func (e Encoded) head() (value.Kind, int) {
	kind, children, err := e.cursor.Head()
	if err != nil {
		e.fail(err)
	}
	return kind, children
}

// Kind implements [Node].
func (e Encoded) Kind() value.Kind {
	kind, _ := e.head()
	return kind
}

// Size implements [Node].
func (e Encoded) Size() int {
	_, children := e.head()
	return children
}

func (e Encoded) at(c canon.Cursor) Encoded { return Encoded{cursor: c, bad: e.bad} }

// Member implements [Node].
func (e Encoded) Member(key string) (Encoded, bool) {
	if e.id != nil && key == idField {
		return e.at(canon.CursorOn(e.id)), true
	}
	c, ok := e.cursor.Member(key)
	return e.at(c), ok
}

// Element implements [Node].
func (e Encoded) Element(i int) (Encoded, bool) {
	c, ok := e.cursor.Element(i)
	return e.at(c), ok
}

// Elements implements [Node].
func (e Encoded) Elements(visit func(Encoded) bool) bool {
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

// Value implements [Node].
func (e Encoded) Value() value.Value {
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
