package docserver

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

var errResumeToken = errors.New("invalid resume token")

// resumeVersion is the first item of a resume token; any other is refused.
const resumeVersion = 1

// place is where a change feed is. Its token is all that the server needs to go on.
type place struct {
	database   string
	collection string
	filter     value.Value // hash; Null if there is none
	id         uint32      // of the collection
	next       document.Position
}

// items are the token's content: what must be as in the request that goes on, then
// what is taken from the token.
func (p place) items() []value.Value {
	return []value.Value{
		value.Int(resumeVersion), value.String("watch"), value.String(p.database), value.String(p.collection), p.filter,
		value.Uint(uint64(p.id)), value.Uint(p.next.Tx), value.Uint(uint64(p.next.Slot)),
	}
}

// fixed is how many of the items must be as in the request.
const fixed = 5

func (p place) token() string {
	return base64.RawURLEncoding.EncodeToString(canon.Encode(value.Array(p.items())))
}

// resume returns the place that a token of the same feed leads to.
func (p place) resume(token string) (place, error) {
	bad := func(why string) (place, error) {
		return place{}, inField("resume_token", fmt.Errorf("%w: %s", errResumeToken, why))
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return bad("it was not made by this server")
	}
	v, err := canon.Decode(b)
	want := p.items()
	if err != nil || v.Kind() != value.KindArray || v.Len() != len(want) || !value.Equal(v.Index(0), want[0]) {
		return bad("it was not made by this version of the server")
	}
	for i, item := range want[:fixed] {
		if !value.Equal(v.Index(i), item) {
			return bad("it belongs to another feed; keep the database, the collection and the filter as they were")
		}
	}
	id, idOK := v.Index(fixed).AsUint()
	tx, txOK := v.Index(fixed + 1).AsUint()
	slot, slotOK := v.Index(fixed + 2).AsUint()
	if !idOK || !txOK || !slotOK || id == 0 || id > math.MaxUint32 || tx == 0 || slot > math.MaxUint32 {
		return bad("it names no place")
	}
	p.id, p.next = uint32(id), document.Position{Tx: tx, Slot: uint32(slot)}
	return p, nil
}
