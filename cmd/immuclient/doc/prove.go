package doc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func proveCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "prove COLL ID --out FILE",
		Short: "Write evidence of a document, or of parts of it, to a file",
		Long: `Write evidence of a document to a file that anybody can check without a server
(immuclient doc verify) who holds a trusted state of the database: the one at the
transaction that is printed as anchor, or the server's signature of it.

Without --property and --absent the whole document is disclosed, or shown to be
deleted. With them nothing else of the document is given away, except that the
proof of an absent property shows the names of its neighbours.`,
		Example: `  immuclient doc prove people ada --property /born --absent /died --out ada` + proof.FileExtension,
		Args:    cobra.ExactArgs(2),
	}
	idType, at := idFlag(c), momentFlags(c, true)
	properties := c.Flags().StringArray("property", nil, "JSON Pointer of a property to disclose (may be repeated)")
	absent := c.Flags().StringArray("absent", nil, "JSON Pointer of a property to show as absent (may be repeated)")
	out := c.Flags().String("out", "", "file to write, - for standard output")
	stateOut := stateOutFlag(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if *out == "" {
			return fmt.Errorf("--out FILE is missing")
		}
		if err := checkStateOut(*stateOut, *out); err != nil {
			return err
		}
		id, err := parseID(args[1], *idType)
		if err != nil {
			return err
		}
		moment, err := at.moment()
		if err != nil {
			return err
		}
		evidence, _, err := client.Prove(ctx, args[0], id, docclient.Claim{At: moment, Properties: *properties, Absent: *absent})
		if err != nil {
			return hint(err, args[1], *idType)
		}
		file, err := evidence.Marshal()
		if err != nil {
			return err
		}
		if *stateOut != "" {
			if err := writeState(*stateOut, evidence); err != nil {
				return err
			}
		}
		if *out == "-" {
			_, err := p.out.Write(file)
			return err
		}
		// It discloses what the server keeps from others: no reader but the owner.
		if err := os.WriteFile(*out, file, 0o600); err != nil {
			return err
		}
		m, anchor := &evidence.Document.Manifest, evidence.Transaction.AnchorState()
		if p.json {
			return p.object(map[string]any{
				"file": *out, "bytes": len(file), "revision": m.Revision, "transaction": evidence.Transaction.Header.ID,
				"anchor": anchorForm{Transaction: anchor.TxID, Alh: hex.EncodeToString(anchor.Alh[:]), Signed: len(evidence.Signature) > 0},
			})
		}
		return p.printf("%s: %s of document %s of %s, revision %d, transaction %d\nanchor: database %s, transaction %d, Alh %x%s\n",
			*out, shownParts(*properties, *absent), shown(id), args[0], m.Revision, evidence.Transaction.Header.ID,
			plain(evidence.Database), anchor.TxID, anchor.Alh[:], signedNote(evidence))
	})
}

// stateOutFlag adds --state-out.
func stateOutFlag(c *cobra.Command) *string {
	return c.Flags().String("state-out", "", "also write the anchor state to this file, for verify --state; hand it over another way than the evidence")
}

func checkStateOut(stateOut, out string) error {
	switch stateOut {
	case "":
	case "-":
		return fmt.Errorf("--state-out -: name a file; the state goes another way than the evidence")
	case out:
		return fmt.Errorf("--out and --state-out name the same file, %s", out)
	}
	return nil
}

// writeState writes the state that the evidence is anchored in, in the form that
// verify reads.
func writeState(name string, e *proof.Evidence) error {
	anchor := e.Transaction.AnchorState()
	b, err := json.Marshal(struct {
		Database string `json:"database"`
		TxID     uint64 `json:"txId"`
		TxHash   string `json:"txHash"`
	}{e.Database, anchor.TxID, hex.EncodeToString(anchor.Alh[:])})
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}

// anchorForm is the machine form of a proof's anchor.
type anchorForm struct {
	Transaction uint64 `json:"transaction"`
	Alh         string `json:"alh"` // hex
	Signed      bool   `json:"signed,omitempty"`
}

func shownParts(properties, absent []string) string {
	parts := slices.Clone(properties)
	for _, pointer := range absent {
		parts = append(parts, "absence of "+pointer)
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, ", ")
}

func signedNote(e *proof.Evidence) string {
	if len(e.Signature) == 0 {
		return ""
	}
	return ", with the server's signature"
}
