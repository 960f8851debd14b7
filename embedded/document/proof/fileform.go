package proof

import (
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// The JSON form of an evidence file. Byte strings, and with them hashes and lists
// of hashes, are padded base64.
type (
	fileEvidence struct {
		Format      string          `json:"format"`
		Version     int             `json:"version"`
		Claim       fileClaim       `json:"claim"`
		Anchor      fileAnchor      `json:"anchor"`
		Transaction fileTransaction `json:"transaction"`
		Document    fileDocument    `json:"document"`
	}

	fileClaim struct {
		Database     fileText        `json:"database"`
		Collection   fileText        `json:"collection"`
		CollectionID uint32          `json:"collectionId"`
		ID           json.RawMessage `json:"id"`
		Revision     uint64          `json:"revision"`
		Operation    string          `json:"operation"`
		Transaction  uint64          `json:"transaction"`
		Time         string          `json:"time"`
		Hash         []byte          `json:"hash"`
		Author       *fileText       `json:"author,omitempty"`
		Document     json.RawMessage `json:"document,omitempty"`
		Properties   []fileShown     `json:"properties,omitempty"`
		Absent       []fileText      `json:"absent,omitempty"`
	}

	fileShown struct {
		Pointer fileText        `json:"pointer"`
		Value   json.RawMessage `json:"value"`
	}

	fileAnchor struct {
		Transaction uint64 `json:"transaction"`
		Alh         []byte `json:"alh"`
		Signature   []byte `json:"signature,omitempty"`
	}

	fileTransaction struct {
		Header       fileHeader  `json:"header"`
		Path         []byte      `json:"path"`
		AnchorHeader *fileHeader `json:"anchorHeader,omitempty"`
	}

	fileHeader struct {
		ID       uint64 `json:"id"`
		PrevAlh  []byte `json:"prevAlh"`
		Ts       int64  `json:"ts"`
		Version  int    `json:"version"`
		Metadata []byte `json:"metadata,omitempty"`
		NEntries int    `json:"nentries"`
		Eh       []byte `json:"eh"`
		BlTxID   uint64 `json:"blTxId"`
		BlRoot   []byte `json:"blRoot"`
	}

	fileDocument struct {
		Slot     uint32      `json:"slot"`
		Entry    []byte      `json:"entry"`
		Path     []byte      `json:"path"`
		Manifest []byte      `json:"manifest"`
		Whole    *fileWhole  `json:"whole,omitempty"`
		Claims   *fileClaims `json:"claims,omitempty"`
	}

	fileWhole struct {
		Seed   []byte   `json:"seed"`
		Author fileText `json:"author"`
		Body   []byte   `json:"body"`
	}

	fileClaims struct {
		Properties []fileProperty `json:"properties,omitempty"`
		Witnesses  []fileWitness  `json:"witnesses,omitempty"`
		Absences   []fileAbsence  `json:"absences,omitempty"`
		Multiproof []byte         `json:"multiproof"`
	}

	fileProperty struct {
		Path  []byte `json:"path"`
		Index uint64 `json:"index"`
		Value []byte `json:"value"`
		Salts []byte `json:"salts"`
	}

	fileWitness struct {
		Index      uint64 `json:"index"`
		Path       []byte `json:"path"`
		Value      []byte `json:"value,omitempty"`
		Salt       []byte `json:"salt,omitempty"`
		Commitment []byte `json:"commitment,omitempty"`
	}

	fileAbsence struct {
		Pointer  fileText `json:"pointer"`
		Ancestor uint64   `json:"ancestor"`
		Left     uint64   `json:"left"`
	}
)

// fileText is a string that the file escapes as the JSON of values does: only
// what JSON demands.
type fileText string

// MarshalJSON writes the string; it must be valid UTF-8.
func (s fileText) MarshalJSON() ([]byte, error) {
	return value.String(string(s)).AppendJSON(nil), nil
}

// joinHashes is never nil, so that no hashes are an empty string in the file.
func joinHashes(hashes []Hash) []byte {
	out := make([]byte, 0, len(hashes)*HashSize)
	for i := range hashes {
		out = append(out, hashes[i][:]...)
	}
	return out
}

// notNil keeps an empty byte string from becoming a JSON null.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func newFileHeader(h *Header) fileHeader {
	return fileHeader{
		ID: h.ID, PrevAlh: h.PrevAlh[:], Ts: h.Ts, Version: h.Version, Metadata: h.Metadata,
		NEntries: h.NEntries, Eh: h.Eh[:], BlTxID: h.BlTxID, BlRoot: h.BlRoot[:],
	}
}

func (dp *DocumentProof) toFile() (fileDocument, error) {
	f := fileDocument{
		Slot: dp.Slot, Entry: notNil(dp.Entry), Path: joinHashes(dp.Path), Manifest: dp.Manifest.Encode(),
	}
	w, c := dp.Disclosure.Whole, dp.Disclosure.Claims
	if w != nil {
		if w.Body == nil {
			return f, fmt.Errorf("%w: a whole-document proof without its document", ErrMalformed)
		}
		if !utf8.ValidString(w.Author) {
			return f, fmt.Errorf("%w: author %q is not valid UTF-8", ErrMalformed, w.Author)
		}
		f.Whole = &fileWhole{Seed: w.Seed[:], Author: fileText(w.Author), Body: w.Body}
	}
	if c == nil {
		return f, nil
	}
	f.Claims = &fileClaims{Multiproof: joinHashes(c.Multiproof)}
	for i := range c.Properties {
		p := &c.Properties[i]
		f.Claims.Properties = append(f.Claims.Properties, fileProperty{
			Path: notNil(p.Path), Index: p.Index, Value: notNil(p.Value), Salts: joinSalts(p.Salts),
		})
	}
	for i := range c.Witnesses {
		w := &c.Witnesses[i]
		fw := fileWitness{Index: w.Index, Path: notNil(w.Path)}
		if w.Value != nil {
			fw.Value, fw.Salt = w.Value, w.Salt[:]
		} else {
			fw.Commitment = w.Commitment[:]
		}
		f.Claims.Witnesses = append(f.Claims.Witnesses, fw)
	}
	for i := range c.Absences {
		a := &c.Absences[i]
		f.Claims.Absences = append(f.Claims.Absences, fileAbsence{fileText(a.Pointer), a.Ancestor, a.Left})
	}
	return f, nil
}

// fileReader turns the byte strings of a file back; the first failure sticks.
type fileReader struct{ err error }

func (r *fileReader) fixed(name string, dst, src []byte) {
	if len(src) != len(dst) && r.err == nil {
		r.err = fmt.Errorf("%w: %s has %d bytes, want %d", ErrMalformed, name, len(src), len(dst))
	}
	copy(dst, src)
}

func (r *fileReader) hashes(name string, src []byte) []Hash {
	out, ok := splitHashes(src)
	if !ok && r.err == nil {
		r.err = fmt.Errorf("%w: %s has %d bytes, which is no list of hashes", ErrMalformed, name, len(src))
	}
	return out
}

func (r *fileReader) path(src []byte) canon.Path {
	p, err := canon.ParsePath(src)
	if err != nil && r.err == nil {
		r.err = malformed(err)
	}
	return p
}

func (r *fileReader) header(f *fileHeader) (h Header) {
	h = Header{ID: f.ID, Ts: f.Ts, BlTxID: f.BlTxID, Version: f.Version, Metadata: f.Metadata, NEntries: f.NEntries}
	if (f.Version < 0 || f.Version > math.MaxUint16 || f.NEntries < 0 || f.NEntries > math.MaxInt32) && r.err == nil {
		r.err = fmt.Errorf("%w: header %d: version %d, %d entries", ErrMalformed, f.ID, f.Version, f.NEntries)
	}
	r.fixed("prevAlh", h.PrevAlh[:], f.PrevAlh)
	r.fixed("eh", h.Eh[:], f.Eh)
	r.fixed("blRoot", h.BlRoot[:], f.BlRoot)
	return h
}

// evidence takes the proof out of the file; what only describes it is left.
func (f *fileEvidence) evidence() (*Evidence, error) {
	r := &fileReader{}
	e := &Evidence{Database: string(f.Claim.Database), Signature: f.Anchor.Signature}
	e.Transaction.Header = r.header(&f.Transaction.Header)
	e.Transaction.Path = r.hashes("transaction.path", f.Transaction.Path)
	if f.Transaction.AnchorHeader != nil {
		n := r.header(f.Transaction.AnchorHeader)
		e.Transaction.Anchor = &n
	}
	dp := &e.Document
	dp.Slot, dp.Entry = f.Document.Slot, f.Document.Entry
	dp.Path = r.hashes("document.path", f.Document.Path)
	m, err := ParseManifest(f.Document.Manifest)
	if err != nil {
		return nil, err
	}
	dp.Manifest = *m
	if w := f.Document.Whole; w != nil {
		dp.Disclosure.Whole = &Whole{Author: string(w.Author), Body: notNil(w.Body)}
		r.fixed("seed", dp.Disclosure.Whole.Seed[:], w.Seed)
	}
	if f.Document.Claims != nil {
		dp.Disclosure.Claims = r.claims(f.Document.Claims)
	}
	if r.err != nil {
		return nil, r.err
	}
	return e, nil
}

func (r *fileReader) claims(f *fileClaims) *Claims {
	c := &Claims{Multiproof: r.hashes("multiproof", f.Multiproof)}
	for i := range f.Properties {
		p := &f.Properties[i]
		if len(p.Salts)%ptree.SaltSize != 0 && r.err == nil {
			r.err = fmt.Errorf("%w: salts have %d bytes", ErrMalformed, len(p.Salts))
		}
		c.Properties = append(c.Properties, PropertyClaim{
			Path: r.path(p.Path), Index: p.Index, Value: p.Value, Salts: splitSalts(p.Salts),
		})
	}
	for i := range f.Witnesses {
		fw := &f.Witnesses[i]
		w := Witness{Index: fw.Index, Path: r.path(fw.Path)}
		if len(fw.Value) > 0 {
			w.Value = fw.Value
			r.fixed("salt", w.Salt[:], fw.Salt)
		} else {
			r.fixed("commitment", w.Commitment[:], fw.Commitment)
		}
		c.Witnesses = append(c.Witnesses, w)
	}
	for i := range f.Absences {
		a := &f.Absences[i]
		c.Absences = append(c.Absences, AbsenceClaim{string(a.Pointer), a.Ancestor, a.Left})
	}
	return c
}
