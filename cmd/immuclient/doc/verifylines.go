package doc

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// listNote is said with every verification of several: no proof can show it.
const listNote = "No proof shows that these are the newest revisions, or that none is missing."

// lines verifies a file of several evidence files. All are looked at; the error is
// that of the first one refused.
func (v *verifier) lines(p *printer, name string, lines iter.Seq2[numbered, error]) error {
	var verified, unanchored, refused int
	var anchors span
	var trusted string
	var first error
	for line, err := range lines {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		shown, held, err := v.verify(line.text)
		var check *proof.CheckError
		switch {
		case err == nil:
			verified++
			anchors.add(shown.Anchor.TxID)
			trusted = held
		case errors.Is(err, proof.ErrUnanchored):
			unanchored++
		case errors.As(err, &check):
			refused++
			if first == nil {
				first = fmt.Errorf("%s: line %d: %w", name, line.number, err)
			}
		default: // not the evidence's fault
			return fmt.Errorf("%s: line %d: %w", name, line.number, err)
		}
		if err := p.verifiedLine(line.number, shown, held, err); err != nil {
			return err
		}
	}
	if err := p.verifiedLines(verified, unanchored, refused, anchors, trusted); err != nil {
		return err
	}
	switch {
	case refused > 1:
		return fmt.Errorf("%w (and %d more)", first, refused-1)
	case refused == 1:
		return first
	case unanchored > 0:
		return fmt.Errorf("%s: %w (give --state or --signing-pub-key)", name, proof.ErrUnanchored)
	}
	return nil
}

// span is from the least to the greatest of some transactions.
type span struct{ from, to uint64 }

func (s *span) add(tx uint64) {
	if s.from == 0 || tx < s.from {
		s.from = tx
	}
	s.to = max(s.to, tx)
}

func (s span) String() string {
	if s.from == s.to {
		return fmt.Sprintf("transaction %d", s.from)
	}
	return fmt.Sprintf("transactions %d to %d", s.from, s.to)
}

// refusedForm is the machine form of a line that was refused.
type refusedForm struct {
	Line     int    `json:"line"`
	Verified bool   `json:"verified"`
	Error    string `json:"error"`
}

// verifiedLine prints what one line came to, in one line.
func (p *printer) verifiedLine(number int, v *proof.Verified, trusted string, err error) error {
	head := "verified"
	switch {
	case v == nil && p.json:
		return p.object(refusedForm{Line: number, Error: err.Error()})
	case v == nil:
		return p.printf("line %d: REFUSED: %s\n", number, visible([]byte(strings.ReplaceAll(err.Error(), "\n", " "))))
	case p.json:
		form := verifiedFormOf(v, trusted)
		form.Line = number
		return p.object(form)
	case trusted == "":
		head = "consistent, but NOT VERIFIED"
	}
	what := fmt.Sprintf("line %d: %s: document %s of collection %s (id %d) in database %s, revision %d (%s) of transaction %d",
		number, head, shown(v.ID), plain(v.Collection), v.CollectionID, plain(v.Database), v.Revision, v.Operation, v.TxID)
	for _, property := range v.Properties {
		what += fmt.Sprintf(", %s = %s", plain(property.Pointer), shown(property.Value))
	}
	for _, pointer := range v.Absent {
		what += fmt.Sprintf(", %s is absent", plain(pointer))
	}
	if v.Document != nil {
		what += ": " + visible(appendDocument(nil, *v.Document))
	}
	return p.printf("%s\n", what)
}

// verifiedLines prints what all lines came to; for programs it is no result.
func (p *printer) verifiedLines(verified, unanchored, refused int, anchors span, trusted string) error {
	sum := thousands(verified) + " verified"
	if unanchored > 0 {
		sum += fmt.Sprintf(", %s consistent, but not verified: nothing that you trust vouches for them", thousands(unanchored))
	}
	if refused > 0 {
		sum += fmt.Sprintf(", %s REFUSED", thousands(refused))
	}
	if verified > 0 {
		sum += fmt.Sprintf("; anchor: %s, %s", anchors, trusted)
	}
	if p.json {
		p.notef("%s", sum)
		return nil
	}
	return p.printf("%s\n%s\n", sum, listNote)
}
