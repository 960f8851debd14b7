package doc

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// proveList are the flags by which a list is written as evidence.
type proveList struct {
	command  *cobra.Command
	prove    bool
	out      string
	stateOut *string
}

func proveListFlags(c *cobra.Command) *proveList {
	l := &proveList{command: c}
	c.Flags().BoolVar(&l.prove, "prove", false, "write evidence of each document, one evidence file a line")
	c.Flags().StringVar(&l.out, "out", "-", "with --prove: file to write, - for standard output")
	l.stateOut = stateOutFlag(c)
	return l
}

// check refuses flags that do not go together.
func (l *proveList) check(client *docclient.Client) error {
	changed := l.command.Flags().Changed
	switch {
	case !l.prove && (changed("out") || changed("state-out")):
		return errors.New("--out, --state-out: they go with --prove; doc export writes documents to a file")
	case !l.prove:
		return nil
	case changed("project"):
		return errors.New("--project, --prove: want one of them; the evidence of a list shows whole documents. " +
			"Prove properties of one document with doc prove COLL ID --property PTR")
	case changed("meta"):
		return errors.New("--meta, --prove: want one of them; evidence says all that --meta does")
	case changed("explain"):
		return errors.New("--explain, --prove: want one of them")
	case !client.Verifies():
		return errors.New("--unverified, --prove: want one of them; without verification there are no proofs")
	case l.out == "":
		return errors.New("--out: name a file, or - for standard output")
	}
	return checkStateOut(*l.stateOut, l.out)
}

// run writes the evidence of the documents of a list as they come.
func (l *proveList) run(p *printer, collection string, list *docclient.List) error {
	w := &evidenceWriter{stateOut: *l.stateOut}
	if l.out == "-" {
		if err := w.write(p.out, list); err != nil {
			return err
		}
		p.noteProved(w, collection, list)
		return nil
	}
	err := writeWhole(l.out, 0o600, func(file io.Writer) error {
		out := bufio.NewWriter(file)
		return errors.Join(w.write(out, list), out.Flush())
	})
	if err != nil {
		return err
	}
	p.noteProved(w, collection, list)
	if p.json {
		form := map[string]any{"file": l.out, "bytes": w.bytes, "documents": w.documents, "transaction": list.Tx()}
		if w.documents > 0 {
			form["anchor"] = anchorForm{Transaction: w.anchor.TxID, Alh: hex.EncodeToString(w.anchor.Alh[:]), Signed: w.signed != ""}
		}
		return p.object(form)
	}
	if err := p.printf("%s: %s documents of %s as of transaction %d\n", l.out, thousands(w.documents), collection, list.Tx()); err != nil || w.documents == 0 {
		return err
	}
	return p.printf("anchor: database %s, transaction %d, Alh %x%s\n", plain(w.database), w.anchor.TxID, w.anchor.Alh[:], w.signed)
}

// evidenceWriter writes evidence files, one a line.
type evidenceWriter struct {
	stateOut string // file for the anchor state

	documents, bytes int
	database         string
	anchor           proof.State
	signed           string
}

func (w *evidenceWriter) write(out io.Writer, list *docclient.List) error {
	for document, err := range list.Documents() {
		if err != nil {
			return err
		}
		evidence, err := list.Evidence()
		if err != nil {
			return err
		}
		if w.documents == 0 { // the anchor is the same for all
			w.database, w.anchor, w.signed = evidence.Database, evidence.Transaction.AnchorState(), signedNote(evidence)
			if w.stateOut != "" {
				if err := writeState(w.stateOut, evidence); err != nil {
					return err
				}
			}
		}
		line, err := evidence.MarshalLine()
		if err != nil {
			return fmt.Errorf("document %s of %s: %w", jsonOf(document.ID), document.Collection, err)
		}
		n, err := out.Write(line)
		if err != nil {
			return err
		}
		w.documents, w.bytes = w.documents+1, w.bytes+n
	}
	return nil
}

// noteProved tells what the evidence does not.
func (p *printer) noteProved(w *evidenceWriter, collection string, list *docclient.List) {
	p.noteTruncated(list)
	if w.documents == 0 {
		p.notef("no document of %s matches: nothing is proved", plain(collection))
		if w.stateOut != "" {
			p.notef("%s was not written", w.stateOut)
		}
	}
}
