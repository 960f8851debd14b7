package doc

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func parse(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err)
	return v
}

func TestMachineForms(t *testing.T) {
	d := &docclient.Document{
		Collection: "c", ID: value.String("x"), Value: parse(t, `{"b":"<>","_id":"x","aa":1.0}`), Revision: 2, Tx: 9,
		Time: time.Unix(1700000000, 0), Author: `a"b`, Operation: proof.Update, Verified: true,
	}
	print := func(f func(p *printer) error) string {
		var out bytes.Buffer
		p, err := newPrinter(&out, &out, "json")
		require.NoError(t, err)
		require.NoError(t, f(p))
		return out.String()
	}
	const plain = `{"_id":"x","b":"<>","aa":1.0}`
	const facts = `"revision":2,"transaction":9,"time":"2023-11-14T22:13:20Z","author":"a\"b"`
	require.Equal(t, plain+"\n", print(func(p *printer) error { return p.document(d, false) }))
	require.Equal(t, `{"document":`+plain+`,`+facts+"}\n", print(func(p *printer) error { return p.document(d, true) }))
	require.Equal(t, `{"document":`+plain+`,`+facts+`,"operation":"update"}`, string(appendMeta(nil, d, true)))
	require.Equal(t, `{"id":"x","revision":2,"transaction":9}`+"\n",
		print(func(p *printer) error { return p.written("updated", []docclient.Document{*d}) }))

	gone := *d
	gone.Operation, gone.Value = proof.Delete, value.Null()
	require.Equal(t, `{`+facts+`,"operation":"delete"}`+"\n", print(func(p *printer) error { return p.document(&gone, true) }))
	p, err := newPrinter(&bytes.Buffer{}, nil, "json")
	require.NoError(t, err)
	require.ErrorContains(t, p.document(&gone, false), "is a deletion")
	_, err = newPrinter(nil, nil, "yaml")
	require.Error(t, err)
}

func TestAppendDocument(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                                `{}`,
		`{"a":1}`:                           `{"a":1}`,
		`{"_id":1}`:                         `{"_id":1}`,
		`{"a":1,"_id":"x"}`:                 `{"_id":"x","a":1}`,
		`{"$object":{"_id":"x","$date":1}}`: `{"$object":{"_id":"x","$date":1}}`,
	} {
		require.Equal(t, want, string(appendDocument(nil, parse(t, in))))
	}
}

func TestExitCodes(t *testing.T) {
	require.Equal(t, codeError, failure(errors.New("x")).Code)
	require.Equal(t, codeRefused, failure(&proof.CheckError{Check: "anchor"}).Code)
	require.Equal(t, codeRefused, failure(docclient.ErrVerification).Code)
	require.Equal(t, codeUnanchored, failure(proof.ErrUnanchored).Code)
	require.Equal(t, "Error: refused", failure(errors.New("docclient: refused")).Error())
}
