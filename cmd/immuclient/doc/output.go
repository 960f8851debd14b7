package doc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// printer writes results to standard output in one of the two forms, and notes
// to standard error.
type printer struct {
	out, err io.Writer
	json     bool
}

func newPrinter(out, err io.Writer, output string) (*printer, error) {
	switch output {
	case "text", "table":
		return &printer{out: out, err: err}, nil
	case "json":
		return &printer{out: out, err: err, json: true}, nil
	}
	return nil, fmt.Errorf("--output %s: want text or json", output)
}

// notef tells people something that is no result.
func (p *printer) notef(format string, args ...any) { fmt.Fprintf(p.err, format+"\n", args...) }

// noteTruncated tells how many documents a list had to leave out.
func (p *printer) noteTruncated(list *docclient.List) {
	if gone := list.Truncated(); len(gone) > 0 {
		p.notef("%d documents, the first %s, are left out: the database's retention period has dropped their content", len(gone), shown(gone[0]))
	}
}

// line writes one line of output. What a reader that went away does not take is
// an error: the command is not done.
func (p *printer) line(b []byte) error {
	_, err := p.out.Write(append(b, '\n'))
	return err
}

func (p *printer) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(p.out, format, args...)
	return err
}

// object writes a JSON object of this package's own types.
func (p *printer) object(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// document writes one document: plain or, with meta, wrapped with what the ledger
// knows of the revision.
func (p *printer) document(d *docclient.Document, meta bool) error {
	switch {
	case meta && p.json:
		return p.line(appendMeta(nil, d, d.Deleted()))
	case meta:
		return p.indented(appendMeta(nil, d, d.Deleted()))
	case d.Deleted():
		return fmt.Errorf("document %s of %s: revision %d is a deletion", jsonOf(d.ID), d.Collection, d.Revision)
	case p.json:
		return p.line(appendDocument(nil, d.Value))
	default:
		return p.indented(appendDocument(nil, d.Value))
	}
}

// result writes a document that a query made.
func (p *printer) result(v value.Value) error {
	if p.json {
		return p.line(appendDocument(nil, v))
	}
	return p.indented(appendDocument(nil, v))
}

// value writes one value on a line.
func (p *printer) value(v value.Value) error {
	if p.json {
		return p.line(v.AppendJSON(nil))
	}
	return p.line([]byte(shown(v)))
}

// indented writes JSON for people.
func (p *printer) indented(b []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return err
	}
	return p.line([]byte(visible(out.Bytes())))
}

// written writes the outcome of a write, one line a document.
func (p *printer) written(verb string, documents []docclient.Document) error {
	for i := range documents {
		d := &documents[i]
		var err error
		if p.json {
			b := append([]byte(`{"id":`), jsonOf(d.ID)...)
			err = p.line(fmt.Appendf(b, `,"revision":%d,"transaction":%d}`, d.Revision, d.Tx))
		} else {
			verified := "verified"
			if !d.Verified {
				verified = "not verified"
			}
			err = p.printf("%s %s: revision %d, transaction %d, %s\n", verb, shown(d.ID), d.Revision, d.Tx, verified)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// changed writes the outcome of updates, some of which may have inserted documents.
func (p *printer) changed(documents []docclient.Document) error {
	for i := range documents {
		done := "updated"
		if documents[i].Operation == proof.Insert {
			done = "inserted"
		}
		if err := p.written(done, documents[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// table starts a table for people; flush it.
func (p *printer) table(header string) *tabwriter.Writer {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, header)
	return w
}

// appendMeta appends {"document":…,"revision":…,"transaction":…,"time":…,
// "author":…}, and the operation where it matters. A tombstone has no document.
func appendMeta(dst []byte, d *docclient.Document, operation bool) []byte {
	dst = append(dst, '{')
	if !d.Deleted() {
		dst = append(dst, `"document":`...)
		dst = appendDocument(dst, d.Value)
		dst = append(dst, ',')
	}
	dst = fmt.Appendf(dst, `"revision":%d,"transaction":%d,"time":"%s","author":`, d.Revision, d.Tx, d.Time.UTC().Format(time.RFC3339))
	dst = value.String(d.Author).AppendJSON(dst)
	if operation {
		dst = fmt.Appendf(dst, `,"operation":"%s"`, d.Operation)
	}
	return append(dst, '}')
}

// appendDocument appends a document as JSON, its _id first.
func appendDocument(dst []byte, doc value.Value) []byte { return doc.AppendJSONFirst(dst, "_id") }

func jsonOf(v value.Value) string { return string(v.AppendJSON(nil)) }
