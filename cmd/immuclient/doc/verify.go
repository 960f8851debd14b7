package doc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// newestNote is said with every verification: no proof can show it.
const newestNote = "No proof shows that this is the newest revision."

// expectations are the flags by which the caller says what the evidence is to be
// about.
type expectations struct {
	collection, id, idType, operation string
	collectionID                      uint32
	revision                          uint64
	properties, absent                []string
}

func verifyCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify FILE (--state FILE | --signing-pub-key FILE)",
		Short: "Check an evidence file, without a server",
		Long: `Check an evidence file against something that you trust and did not get with it:

  --state FILE            a trusted state of the database: a file that immudb's
                          clients keep (.state-*), or a JSON object
                          {"database":"…","txId":…,"txHash":"…"}. It has to be
                          the state of the transaction that prove names as anchor;
                          .state-* moves on with every answer of the server
  --signing-pub-key FILE  the public key (PEM) of a server that signs its states

Without one of them the command says whether the file is consistent, and fails:
anybody can make a consistent file.

Say what you want to see proved with --database, --collection, --id, --revision,
--operation, --property and --absent: evidence of anything else is refused. What
is not said is read from the file and printed; look at it. A collection that was
dropped and made again has another number: --collection-id tells them apart.

Exit codes: 0 verified, 1 error, 2 refused, 3 consistent but unanchored.`,
		Example: `  immuclient doc prove people ada --property /born --out ada.immudoc.json --state-out state.json
  immuclient doc verify ada.immudoc.json --state state.json --collection people --id ada --property /born`,
		Args: cobra.ExactArgs(1),
	}
	var e expectations
	stateFile := c.Flags().String("state", "", "trusted state: immudb's client state file or JSON")
	keyFile := c.Flags().String("signing-pub-key", "", "public key (PEM) with which the server signs its states")
	c.Flags().StringVar(&e.collection, "collection", "", "the collection that it must be about")
	c.Flags().Uint32Var(&e.collectionID, "collection-id", 0, "the number of the collection that it must be about")
	c.Flags().StringVar(&e.id, "id", "", "the id of the document that it must be about")
	c.Flags().StringVar(&e.idType, "id-type", "auto", "what the id is: string, int, uuid, json, or auto")
	c.Flags().Uint64Var(&e.revision, "revision", 0, "the revision that it must be about")
	c.Flags().StringVar(&e.operation, "operation", "", "what the revision must be: insert, replace, update or delete")
	c.Flags().StringArrayVar(&e.properties, "property", nil, "JSON Pointer that it must disclose (may be repeated)")
	c.Flags().StringArrayVar(&e.absent, "absent", nil, "JSON Pointer that it must show as absent (may be repeated)")
	return f.command(c, func(_ context.Context, p *printer, args []string) error {
		if flag := c.Flags().Lookup("server-signing-pub-key"); *keyFile == "" && flag != nil && flag.Changed {
			*keyFile = flag.Value.String() // the name it has for the other commands
		}
		if *stateFile != "" && *keyFile != "" {
			return errors.New("--state, --signing-pub-key: want one of them")
		}
		b, name, err := readArg(c, fileArg(args[0]))
		if err != nil {
			return err
		}
		evidence, err := proof.Parse(b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		anchor, trusted, err := readAnchor(evidence, *stateFile, *keyFile)
		if err != nil {
			return err
		}
		database := ""
		if flag := c.Flags().Lookup("database"); flag != nil && flag.Changed {
			database = flag.Value.String()
		}
		expect, err := e.expect(evidence, database)
		if err != nil {
			return err
		}
		v, err := evidence.Verify(expect, anchor)
		if err != nil && !errors.Is(err, proof.ErrUnanchored) {
			return fmt.Errorf("%s: %w", name, err)
		}
		if perr := p.verified(v, trusted); perr != nil {
			return perr
		}
		if err != nil {
			return fmt.Errorf("%s: %w (give --state or --signing-pub-key)", name, err)
		}
		return nil
	})
}

// fileArg makes a file name, or -, an argument of readArg.
func fileArg(name string) string {
	if name == "-" {
		return name
	}
	return "@" + name
}

// expect is what the evidence suggests, with everything in its place that the
// caller said.
func (e *expectations) expect(evidence *proof.Evidence, database string) (proof.Expect, error) {
	x, err := evidence.Expect()
	if err != nil {
		return x, err
	}
	if database != "" {
		x.Database = database
	}
	if e.collection != "" {
		x.Collection = e.collection
	}
	if e.collectionID != 0 {
		x.CollectionID = e.collectionID
	}
	if e.id != "" {
		if x.ID, err = parseID(e.id, e.idType); err != nil {
			return x, err
		}
	}
	if e.revision != 0 {
		x.Revision = e.revision
	}
	if e.operation != "" {
		if x.Operation, err = parseOperation(e.operation); err != nil {
			return x, err
		}
	}
	if len(e.properties)+len(e.absent) > 0 {
		x.WholeDocument, x.Properties, x.Absent = false, e.properties, e.absent
	}
	return x, nil
}

func parseOperation(name string) (proof.Operation, error) {
	for _, o := range []proof.Operation{proof.Insert, proof.Replace, proof.Update, proof.Delete} {
		if o.String() == name {
			return o, nil
		}
	}
	return 0, fmt.Errorf("--operation %s: want insert, replace, update or delete", name)
}

// readAnchor reads what the caller trusts, and says what that is.
func readAnchor(evidence *proof.Evidence, stateFile, keyFile string) (anchor proof.Anchor, trusted string, err error) {
	switch {
	case keyFile != "":
		key, err := docclient.ReadPublicKey(keyFile)
		if err != nil {
			return nil, "", err
		}
		return proof.SignedState{PublicKey: key}, "signed with the key of " + keyFile, nil
	case stateFile != "":
		b, err := os.ReadFile(stateFile)
		if err != nil {
			return nil, "", err
		}
		states, err := docclient.ParseStates(b)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", stateFile, err)
		}
		var names []string
		var found proof.Anchor
		for _, state := range states {
			if state.Database == evidence.Database && (found == nil || state.State.TxID == evidence.Transaction.AnchorState().TxID) {
				found = state
			}
			names = append(names, state.Database)
		}
		if found != nil {
			return found, "trusted state in " + stateFile, nil
		}
		return nil, "", &proof.CheckError{
			Check:  proof.CheckDatabase,
			Detail: fmt.Sprintf("the evidence is of database %q, %s has states of %q", evidence.Database, stateFile, names),
		}
	default:
		return nil, "", nil
	}
}

// verified prints what was proved, and what was not. trusted is empty for an
// unanchored proof.
func (p *printer) verified(v *proof.Verified, trusted string) error {
	if p.json {
		return p.verifiedJSON(v, trusted)
	}
	head := "Verified"
	if trusted == "" {
		head = "Consistent, but not verified"
	}
	what := fmt.Sprintf("%s: document %s of collection %s (id %d) in database %s\n  revision %d (%s) of transaction %d; time %s (the server's claim)\n",
		head, shown(v.ID), plain(v.Collection), v.CollectionID, plain(v.Database), v.Revision, v.Operation, v.TxID, v.Time.UTC().Format(time.RFC3339))
	if trusted != "" {
		what += fmt.Sprintf("  anchor: transaction %d, %s\n", v.Anchor.TxID, trusted)
	}
	for _, property := range v.Properties {
		what += fmt.Sprintf("  %s = %s\n", plain(property.Pointer), shown(property.Value))
	}
	for _, pointer := range v.Absent {
		what += fmt.Sprintf("  %s is absent\n", plain(pointer))
	}
	if v.Author != nil {
		what += fmt.Sprintf("  author %s\n", plain(*v.Author))
	}
	switch {
	case v.Tombstone:
		what += "  this revision deleted the document\n"
	case v.Document != nil:
		what += fmt.Sprintf("  document %s\n", visible(appendDocument(nil, *v.Document)))
	}
	if trusted == "" {
		what += "NOT VERIFIED: nothing that you trust vouches for any of this.\n"
	}
	return p.printf("%s%s\n", what, newestNote)
}

// verifiedForm is the machine form of a verification.
type verifiedForm struct {
	Verified    bool            `json:"verified"`
	Database    string          `json:"database"`
	Collection  string          `json:"collection"`
	Number      uint32          `json:"collectionId"`
	ID          json.RawMessage `json:"id"`
	Revision    uint64          `json:"revision"`
	Operation   string          `json:"operation"`
	Transaction uint64          `json:"transaction"`
	Time        string          `json:"time"`
	Author      *string         `json:"author,omitempty"`
	Anchor      anchorForm      `json:"anchor"`
	Document    json.RawMessage `json:"document,omitempty"`
	Properties  []propertyForm  `json:"properties,omitempty"`
	Absent      []string        `json:"absent,omitempty"`
	Note        string          `json:"note"`
}

type propertyForm struct {
	Pointer string          `json:"pointer"`
	Value   json.RawMessage `json:"value"`
}

func (p *printer) verifiedJSON(v *proof.Verified, trusted string) error {
	form := verifiedForm{
		Verified: trusted != "", Database: v.Database, Collection: v.Collection, Number: v.CollectionID, ID: rawJSON(v.ID), Revision: v.Revision,
		Operation: v.Operation.String(), Transaction: v.TxID, Time: v.Time.UTC().Format(time.RFC3339), Author: v.Author,
		Anchor: anchorForm{Transaction: v.Anchor.TxID, Alh: hex.EncodeToString(v.Anchor.Alh[:])},
		Absent: v.Absent, Note: newestNote,
	}
	if v.Document != nil {
		form.Document = appendDocument(nil, *v.Document)
	}
	for _, property := range v.Properties {
		form.Properties = append(form.Properties, propertyForm{Pointer: property.Pointer, Value: rawJSON(property.Value)})
	}
	return p.object(form)
}

func rawJSON(v value.Value) json.RawMessage { return v.AppendJSON(nil) }
