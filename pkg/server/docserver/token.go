package docserver

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

var errPageToken = errors.New("invalid page token")

// tokenVersion is the first item of a token; any other is refused.
const tokenVersion = 3

// page is where a stream is: what it reads, as of which transaction, and what
// it read last. Its token is all that the server needs to go on.
type page struct {
	stream     string // "scan" or "history"
	database   string
	collection string
	id         value.Value // of the document of a history
	filter     value.Value // hash of a scan's filter; Null if there is none
	sort       string      // order of a scan; empty for that of the ids
	desc       bool
	tx         uint64
	after      value.Value // last id, or last revision; Null at the start
	position   value.Value // of the last document in another order than that of the ids, as bytes
}

// items are the token's content: what must be as in the request that goes on,
// then what is taken from the token.
func (p page) items() []value.Value {
	return []value.Value{
		value.Int(tokenVersion), value.String(p.stream), value.String(p.database), value.String(p.collection),
		p.id, p.filter, value.String(p.sort), value.Bool(p.desc), value.Uint(p.tx), p.after, p.position,
	}
}

// taken is how many of the items are taken from the token.
const taken = 3

func (p page) token() string {
	return base64.RawURLEncoding.EncodeToString(canon.Encode(value.Array(p.items())))
}

// resume returns the page that a token of the same stream leads to.
func (p page) resume(token string) (page, error) {
	bad := func(why string) (page, error) {
		return page{}, inField("page_token", fmt.Errorf("%w: %s", errPageToken, why))
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
	for i, item := range want[:len(want)-taken] {
		if !value.Equal(v.Index(i), item) {
			return bad("it belongs to another request; keep all other fields as they were")
		}
	}
	tx, ok := v.Index(len(want) - taken).AsUint()
	if !ok || tx == 0 {
		return bad("it names no transaction")
	}
	p.tx, p.after, p.position = tx, v.Index(len(want)-2), v.Index(len(want)-1)
	return p, nil
}
