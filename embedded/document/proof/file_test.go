package proof

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func sampleFile(t testing.TB, req Request) ([]byte, *ledger, *Revision) {
	t.Helper()
	l, rev := sampleLedger(t, 3, 5)
	file, err := l.evidence(t, 3, 0, 5, req).Marshal()
	require.NoError(t, err)
	return file, l, rev
}

// A file may be written with other white space, and in no other way.
func TestFileIsStrict(t *testing.T) {
	file, l, rev := sampleFile(t, Request{Properties: []string{"/age"}, Absent: []string{"/tags/3"}})
	expect := l.expect(t, rev, Request{Properties: []string{"/age"}, Absent: []string{"/tags/3"}})
	var compact, indented bytes.Buffer
	require.NoError(t, json.Compact(&compact, file))
	require.NoError(t, json.Indent(&indented, file, "\t", "\r\n  "))
	for _, form := range [][]byte{compact.Bytes(), indented.Bytes(), append([]byte("\n \t"), file...), append(file, "\r\n "...)} {
		e, err := Parse(form)
		require.NoError(t, err)
		_, err = e.Verify(expect, l.trusted(5))
		require.NoError(t, err)
	}

	replace := func(old, replacement string) []byte {
		require.Contains(t, compact.String(), old)
		return []byte(strings.Replace(compact.String(), old, replacement, 1))
	}
	for name, form := range map[string][]byte{
		"empty":                 nil,
		"not JSON":              []byte("evidence"),
		"null":                  []byte("null"),
		"array":                 []byte("[]"),
		"empty object":          []byte("{}"),
		"byte order mark":       append([]byte("\xef\xbb\xbf"), file...),
		"data after the end":    append(append([]byte{}, file...), '0'),
		"twice":                 append(append([]byte{}, file...), file...),
		"comment":               append([]byte("// evidence\n"), file...),
		"other format":          replace(`"immudoc-evidence"`, `"immudb-evidence"`),
		"newer version":         replace(`"version":1`, `"version":2`),
		"version as text":       replace(`"version":1`, `"version":"1"`),
		"unknown member":        replace(`"version":1`, `"version":1,"note":"hi"`),
		"unknown inner member":  replace(`"slot":0`, `"slot":0,"note":"hi"`),
		"unknown claim":         replace(`"database":`, `"verified":true,"database":`),
		"repeated member":       replace(`"version":1`, `"version":1,"version":1`),
		"repeated, other value": replace(`"database":"defaultdb"`, `"database":"other","database":"defaultdb"`),
		"other case":            replace(`"database"`, `"Database"`),
		"reordered":             replace(`"format":"immudoc-evidence","version":1`, `"version":1,"format":"immudoc-evidence"`),
		"member left out":       replace(`"slot":0,`, ``),
		"null path":             replace(`"slot":0`, `"slot":null`),
		"escaped text":          replace(`"defaultdb"`, `"\u0064efaultdb"`),
		"escaped slash":         replace(`"/age"`, `"\/age"`),
		"number as 1.0":         replace(`"revision":1`, `"revision":1.0`),
		"number as 1e0":         replace(`"revision":1`, `"revision":1e0`),
		"negative slot":         replace(`"slot":0`, `"slot":-0`),
		"number too large":      replace(`"slot":0`, `"slot":4294967296`),
		"empty list":            replace(`"absences":[`, `"witnesses":[],"absences":[`),
		"other database":        replace(`"defaultdb"`, `""`),
		"other collection":      replace(`"collection":"people"`, `"collection":"drafts"`),
		"other collection id":   replace(`"collectionId":3`, `"collectionId":4`),
		"other id":              replace(`"id":"ada"`, `"id":"eve"`),
		"other revision":        replace(`"revision":1`, `"revision":2`),
		"other operation":       replace(`"operation":"insert"`, `"operation":"update"`),
		"other transaction":     replace(`"transaction":3`, `"transaction":4`),
		"other time":            replace(`"time":"2023`, `"time":"2022`),
		"other shown value":     replace(`"value":36`, `"value":37`),
		"other shown absence":   replace(`"absent":["/tags/3"]`, `"absent":["/tags/4"]`),
		"absence not shown":     replace(`,"absent":["/tags/3"]`, ``),
		"other anchor":          replace(`"anchor":{"transaction":5`, `"anchor":{"transaction":6`),
	} {
		_, err := Parse(form)
		requireCheck(t, err, CheckFile)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

// Base64 in any other spelling is refused, though the bytes are the same.
func TestFileBase64IsStrict(t *testing.T) {
	file, _, _ := sampleFile(t, Request{Properties: []string{"/age"}})
	var f struct {
		Document struct {
			Claims struct{ Properties []struct{ Salts string } }
		}
	}
	require.NoError(t, json.Unmarshal(file, &f))
	salts := f.Document.Claims.Properties[0].Salts
	require.True(t, strings.HasSuffix(salts, "=="))
	for name, spelling := range map[string]string{
		"line break":    salts[:8] + `\n` + salts[8:],
		"no padding":    strings.TrimRight(salts, "="),
		"more padding":  salts + "=",
		"URL alphabet":  "-_" + salts[2:],
		"trailing bits": salts[:21] + string(salts[21]+1) + "==",
	} {
		_, err := Parse(bytes.Replace(file, []byte(salts), []byte(spelling), 1))
		requireCheck(t, err, CheckFile)
		require.NotEmpty(t, name)
	}
}

func TestFileCannotBeWritten(t *testing.T) {
	l, _ := sampleLedger(t, 1, 1)
	e := l.evidence(t, 1, 0, 1, Request{WholeDocument: true})
	for name, change := range map[string]func(e *Evidence){
		"no database":        func(e *Evidence) { e.Database = "" },
		"database not UTF-8": func(e *Evidence) { e.Database = "\xff" },
		"no document":        func(e *Evidence) { e.Document = *e.Document.DetachBody() },
		"author not UTF-8": func(e *Evidence) {
			w := *e.Document.Disclosure.Whole
			w.Author = "\xff"
			e.Document.Disclosure.Whole = &w
		},
		"body not canonical": func(e *Evidence) {
			w := *e.Document.Disclosure.Whole
			w.Body = []byte{0xFF}
			e.Document.Disclosure.Whole = &w
		},
		"no manifest": func(e *Evidence) { e.Document.Manifest = Manifest{} },
	} {
		bad := *e
		change(&bad)
		_, err := bad.Marshal()
		require.Error(t, err, name)
	}
}

// A proof whose document travels beside it.
func TestDetachedBody(t *testing.T) {
	l, rev := sampleLedger(t, 2, 3)
	whole := Request{WholeDocument: true}
	full := l.documentProof(t, 2, 0, whole)
	detached, err := ParseDocumentProof(full.DetachBody().Marshal())
	require.NoError(t, err)
	require.Less(t, len(detached.Marshal())+len(rev.Body), len(full.Marshal())+8)
	tx, err := VerifyTransaction(l.transactionProof(t, 2, 3), l.state(3))
	require.NoError(t, err)
	_, err = VerifyDocument(detached, tx, l.expect(t, rev, whole))
	requireCheck(t, err, CheckBody)
	_, err = VerifyDocument(detached.AttachBody(rev.Body), tx, l.expect(t, rev, whole))
	require.NoError(t, err)
	_, err = VerifyDocument(detached.AttachBody([]byte{0xA0}), tx, l.expect(t, rev, whole))
	requireCheck(t, err, CheckRoot)
	require.NotNil(t, full.Disclosure.Whole.Body)
	require.Nil(t, detached.Disclosure.Whole.Body)
	require.Equal(t, full.Marshal(), full.AttachBody([]byte{0xA0}).Marshal())

	// Other proofs have no body to take off.
	claims := l.documentProof(t, 2, 0, Request{Properties: []string{"/age"}})
	require.Equal(t, claims.Marshal(), claims.DetachBody().Marshal())
	require.Equal(t, claims.Marshal(), claims.AttachBody(rev.Body).Marshal())
}

// The file says in words what the proof says in bytes.
func TestFileIsForPeople(t *testing.T) {
	file, _, _ := sampleFile(t, Request{Properties: []string{"/address/geo"}, Absent: []string{"/nam"}})
	var f struct {
		Claim map[string]any
	}
	require.NoError(t, json.Unmarshal(file, &f))
	require.Equal(t, "defaultdb", f.Claim["database"])
	require.Equal(t, "people", f.Claim["collection"])
	require.Equal(t, "ada", f.Claim["id"])
	require.Equal(t, "insert", f.Claim["operation"])
	require.Equal(t, "2023-11-14T22:13:23Z", f.Claim["time"])
	require.Equal(t, []any{map[string]any{"pointer": "/address/geo", "value": map[string]any{"lat": 51.5, "lon": -0.1}}}, f.Claim["properties"])
	require.Equal(t, []any{"/nam"}, f.Claim["absent"])

	file, _, _ = sampleFile(t, Request{WholeDocument: true})
	require.NoError(t, json.Unmarshal(file, &f))
	require.Equal(t, "alice", f.Claim["author"])
	require.Equal(t, "Ada", f.Claim["document"].(map[string]any)["name"])
	require.Equal(t, "ada", f.Claim["document"].(map[string]any)["_id"])
}

// Names and values of any text, which the file escapes no more than JSON demands.
func TestFileOfAnyText(t *testing.T) {
	const odd = "\n<&>\u2028\u2029\u0000\x7f\\\"/~\U0001F600e\u0301"
	l := newLedger(t, odd, 0)
	rev := l.revision(t, spec{collection: odd, collectionID: 1, id: `1`, body: `{}`, author: odd})
	body, err := value.Object([]value.Member{{Key: odd, Value: value.String(odd)}})
	require.NoError(t, err)
	rev.Body = canon.Encode(body)
	rev.Manifest.Root, rev.Manifest.Leaves, err = ptree.Root(rev.Body, rev.Seed, ptree.ModeProperty)
	require.NoError(t, err)
	l.commit(t, rev)
	pointer := canon.FormatPointer([]string{odd})
	for _, req := range []Request{{WholeDocument: true}, {Properties: []string{pointer}}, {Absent: []string{pointer + pointer, pointer + "x"}}} {
		file, err := l.evidence(t, 1, 0, 1, req).Marshal()
		require.NoError(t, err)
		e, err := Parse(file)
		require.NoError(t, err)
		v, err := e.Verify(l.expect(t, rev, req), l.trusted(1))
		require.NoError(t, err)
		require.Equal(t, odd, v.Collection)
		require.Contains(t, string(file), `\n<&>`+"\u2028\u2029"+`\u0000`+"\x7f"+`\\\"`)
		require.NotContains(t, string(file), `\u2028`)
		require.NotContains(t, string(file), `\u003c`)

		line, err := l.evidence(t, 1, 0, 1, req).MarshalLine()
		require.NoError(t, err)
		require.Equal(t, len(line)-1, bytes.IndexByte(line, '\n'))
		again, err := Parse(line)
		require.NoError(t, err)
		require.Equal(t, e, again)

		escaped := bytes.ReplaceAll(file, []byte("\u2028"), []byte(`\u2028`))
		_, err = Parse(escaped)
		requireCheck(t, err, CheckFile)
	}
}
