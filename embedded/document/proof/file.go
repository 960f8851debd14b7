package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/immudoc/immudoc/embedded/document/canon"
)

const (
	// FileFormat is the member "format" of an evidence file.
	FileFormat = "immudoc-evidence"
	// FileVersion is the only version of the evidence file that is read and written.
	FileVersion = 1
	// FileExtension is how the names of evidence files end.
	FileExtension = ".immudoc.json"
)

// Marshal returns the evidence file: indented JSON in UTF-8 that ends with a
// newline. The member "claim" and the anchor's Alh are derived from the proof, for
// people to read. A whole-document proof must have its body.
func (e *Evidence) Marshal() ([]byte, error) {
	f, err := e.toFile()
	if err != nil {
		return nil, err
	}
	return encodeFile(f, " ")
}

// MarshalLine returns the evidence file without white space between its elements, as
// one line that ends with a newline: so that one file can hold the evidence of
// several documents (docs/PROOFS.md, section 10).
func (e *Evidence) MarshalLine() ([]byte, error) {
	f, err := e.toFile()
	if err != nil {
		return nil, err
	}
	return encodeFile(f, "")
}

func encodeFile(f *fileEvidence, indent string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("%w: evidence file: %w", ErrMalformed, err)
	}
	return out.Bytes(), nil
}

// Parse reads an evidence file. Apart from white space between the elements, it
// accepts exactly what [Evidence.Marshal] writes: no unknown, missing, repeated or
// reordered member, no other spelling of a number, a string or base64, and no
// description that differs from the proof. Errors are a [CheckError] of
// [CheckFile].
//
// Parse proves nothing; [Evidence.Verify] does.
func Parse(data []byte) (*Evidence, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, failErr(CheckFile, "", malformed(err))
	}
	if head.Format != FileFormat || head.Version != FileVersion {
		return nil, failErr(CheckFile, fmt.Sprintf("format %q version %d, want %q version %d", head.Format, head.Version, FileFormat, FileVersion), ErrMalformed)
	}
	var f fileEvidence
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, failErr(CheckFile, "", malformed(err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, failErr(CheckFile, "data after the end", ErrMalformed)
	}
	e, err := f.evidence()
	if err != nil {
		return nil, failErr(CheckFile, "", err)
	}
	again, err := e.toFile()
	if err != nil {
		return nil, failErr(CheckFile, "", err)
	}
	want, err := encodeFile(again, "")
	if err != nil {
		return nil, failErr(CheckFile, "", err)
	}
	var got, wantCompact bytes.Buffer
	if err := json.Compact(&got, data); err != nil {
		return nil, failErr(CheckFile, "", malformed(err))
	}
	if err := json.Compact(&wantCompact, want); err != nil {
		return nil, failErr(CheckFile, "", malformed(err))
	}
	if !bytes.Equal(got.Bytes(), wantCompact.Bytes()) {
		return nil, failErr(CheckFile, firstDifference(got.Bytes(), wantCompact.Bytes()), ErrMalformed)
	}
	return e, nil
}

func malformed(err error) error { return fmt.Errorf("%w: %w", ErrMalformed, err) }

// firstDifference says where a file stops being what it should be.
func firstDifference(got, want []byte) string {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	const context = 24
	cut := func(b []byte) string {
		return string(bytes.ToValidUTF8(b[max(0, min(at-context, len(b))):min(at+context, len(b))], []byte("?")))
	}
	return fmt.Sprintf("the file does not say what its proof says: …%s… should be …%s…", cut(got), cut(want))
}

// toFile derives the form of the file, with everything in it that is for people.
func (e *Evidence) toFile() (*fileEvidence, error) {
	if e.Database == "" || !utf8.ValidString(e.Database) {
		return nil, fmt.Errorf("%w: database name %q", ErrMalformed, e.Database)
	}
	claim, err := e.fileClaim()
	if err != nil {
		return nil, err
	}
	anchor := e.Transaction.AnchorState()
	f := &fileEvidence{
		Format: FileFormat, Version: FileVersion, Claim: *claim,
		Anchor: fileAnchor{Transaction: anchor.TxID, Alh: anchor.Alh[:], Signature: e.Signature},
		Transaction: fileTransaction{
			Header: newFileHeader(&e.Transaction.Header), Path: joinHashes(e.Transaction.Path),
		},
	}
	if n := e.Transaction.Anchor; n != nil {
		h := newFileHeader(n)
		f.Transaction.AnchorHeader = &h
	}
	f.Document, err = e.Document.toFile()
	if err != nil {
		return nil, err
	}
	return f, nil
}

// fileClaim describes what the evidence is of.
func (e *Evidence) fileClaim() (*fileClaim, error) {
	expect, err := e.Expect()
	if err != nil {
		return nil, err
	}
	m := &e.Document.Manifest
	hash := m.Hash()
	c := &fileClaim{
		Database: fileText(e.Database), Collection: fileText(m.Collection), CollectionID: m.CollectionID,
		ID: expect.ID.AppendJSON(nil), Revision: m.Revision, Operation: m.Operation.String(),
		Transaction: e.Transaction.Header.ID, Time: headerTime(e.Transaction.Header.Ts), Hash: hash[:],
	}
	for _, pointer := range expect.Absent {
		c.Absent = append(c.Absent, fileText(pointer))
	}
	d := &e.Document.Disclosure
	if d.Whole != nil {
		author := fileText(d.Whole.Author)
		c.Author = &author
		if !m.Tombstone() {
			document, err := bodyDocument(d.Whole.Body, expect.ID)
			if err != nil {
				return nil, malformed(err)
			}
			c.Document = document.AppendJSON(nil)
		}
	}
	if d.Claims != nil {
		for i := range d.Claims.Properties {
			p := &d.Claims.Properties[i]
			val, err := canon.Decode(p.Value)
			if err != nil {
				return nil, malformed(err)
			}
			c.Properties = append(c.Properties, fileShown{Pointer: fileText(p.Path.Pointer()), Value: val.AppendJSON(nil)})
		}
	}
	return c, nil
}
