package fieldpath

import (
	"context"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// idField is the property under which a document shows its id, which stored bodies leave out.
const idField = "_id"

// Reading is the state of looking at documents. It ends with its context: from then on arrays seem empty and members
// missing, and Err tells.
type Reading struct {
	ctx   context.Context
	steps int
	err   error
}

// patience is how many steps are made before the context is looked at.
const patience = 4096

// NewReading starts a reading.
func NewReading(ctx context.Context) *Reading { return &Reading{ctx: ctx} }

// Err returns why what was seen is not what is stored: what is wrong with the bytes, as far as they were looked at, or why
// the context ended.
func (r *Reading) Err() error { return r.err }

// goesOn counts a step.
func (r *Reading) goesOn() bool {
	if r.steps++; r.steps%patience == 0 && r.err == nil {
		r.err = r.ctx.Err()
	}
	return r.err == nil
}

// Encoded is a node of a document as it is stored. Only what is looked at is decoded.
type Encoded struct {
	cursor  canon.Cursor
	id      []byte // at the root of a document, its id
	reading *Reading
}

// EncodedNode returns the root of a document: its body in canonical CBOR without _id, and its id in canonical CBOR.
func EncodedNode(body, id []byte, r *Reading) Encoded {
	return Encoded{cursor: canon.CursorOn(body), id: id, reading: r}
}

func (e Encoded) fail(err error) {
	if e.reading.err == nil {
		e.reading.err = err
	}
}

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

func (e Encoded) at(c canon.Cursor) Encoded { return Encoded{cursor: c, reading: e.reading} }

// Member implements [Node].
func (e Encoded) Member(key string) (Encoded, bool) {
	if e.id != nil && key == idField {
		return e.at(canon.CursorOn(e.id)), true
	}
	c, ok := e.cursor.Member(key)
	return e.at(c), ok && e.reading.goesOn()
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
		return !stopped && e.reading.goesOn()
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
