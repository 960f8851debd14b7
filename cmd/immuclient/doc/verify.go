package doc

import (
	"context"
	"crypto/ecdsa"
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
	database, collection, id, idType, operation string
	collectionID                                uint32
	revision                                    uint64
	properties, absent                          []string
}

func verifyCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify FILE (--state FILE | --signing-pub-key FILE)",
		Short: "Check an evidence file, or a file of several, without a server",
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

A file with several evidence files, one a line, as find --prove writes it, is checked
line by line, each against the same: what is refused is named with its line.

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
		trust, err := readTrust(*stateFile, *keyFile)
		if err != nil {
			return err
		}
		if flag := c.Flags().Lookup("database"); flag != nil && flag.Changed {
			e.database = flag.Value.String()
		}
		in, _, name, err := openInput(c, args[0])
		if err != nil {
			return err
		}
		defer in.Close()
		file, err := readEvidence(in)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		v := &verifier{expectations: e, trust: trust}
		if file.one == nil {
			return v.lines(p, name, file.lines)
		}
		verified, trusted, err := v.verify(file.one)
		if err != nil && !errors.Is(err, proof.ErrUnanchored) {
			return fmt.Errorf("%s: %w", name, err)
		}
		if perr := p.verified(verified, trusted); perr != nil {
			return perr
		}
		if err != nil {
			return fmt.Errorf("%s: %w (give --state or --signing-pub-key)", name, err)
		}
		return nil
	})
}

// verifier verifies evidence against what its caller expects and trusts.
type verifier struct {
	expectations
	trust *trust
}

// verify verifies one evidence file. trusted says what its anchor was held against;
// it is empty with [proof.ErrUnanchored].
func (v *verifier) verify(file []byte) (verified *proof.Verified, trusted string, err error) {
	evidence, err := proof.Parse(file)
	if err != nil {
		return nil, "", err
	}
	anchor, trusted, err := v.trust.anchor(evidence)
	if err != nil {
		return nil, "", err
	}
	expect, err := v.expect(evidence)
	if err != nil {
		return nil, "", err
	}
	verified, err = evidence.Verify(expect, anchor)
	return verified, trusted, err
}

// expect is what the evidence suggests, with everything in its place that the
// caller said.
func (e *expectations) expect(evidence *proof.Evidence) (proof.Expect, error) {
	x, err := evidence.Expect()
	if err != nil {
		return x, err
	}
	if e.database != "" {
		x.Database = e.database
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

// trust is what the caller trusts: nothing, a key, or the states of a file.
type trust struct {
	key    *ecdsa.PublicKey
	file   string // of the key or of the states
	states []proof.TrustedState
}

func readTrust(stateFile, keyFile string) (*trust, error) {
	switch {
	case keyFile != "":
		key, err := docclient.ReadPublicKey(keyFile)
		return &trust{key: key, file: keyFile}, err
	case stateFile != "":
		b, err := os.ReadFile(stateFile)
		if err != nil {
			return nil, err
		}
		states, err := docclient.ParseStates(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", stateFile, err)
		}
		return &trust{file: stateFile, states: states}, nil
	default:
		return &trust{}, nil
	}
}

// anchor is what evidence has to be anchored in, nil if nothing is trusted, and what
// is said of it.
func (t *trust) anchor(evidence *proof.Evidence) (anchor proof.Anchor, trusted string, err error) {
	if t.key != nil {
		return proof.SignedState{PublicKey: t.key}, "signed with the key of " + t.file, nil
	}
	if t.file == "" {
		return nil, "", nil
	}
	var names []string
	for _, state := range t.states {
		if state.Database == evidence.Database && (anchor == nil || state.State.TxID == evidence.Transaction.AnchorState().TxID) {
			anchor = state
		}
		names = append(names, state.Database)
	}
	if anchor == nil {
		return nil, "", &proof.CheckError{
			Check:  proof.CheckDatabase,
			Detail: fmt.Sprintf("the evidence is of database %q, %s has states of %q", evidence.Database, t.file, names),
		}
	}
	return anchor, "trusted state in " + t.file, nil
}

// verified prints what was proved, and what was not. trusted is empty for an
// unanchored proof.
func (p *printer) verified(v *proof.Verified, trusted string) error {
	if p.json {
		return p.object(verifiedFormOf(v, trusted))
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
	Line        int             `json:"line,omitempty"` // of a file with several
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

func verifiedFormOf(v *proof.Verified, trusted string) verifiedForm {
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
	return form
}

func rawJSON(v value.Value) json.RawMessage { return v.AppendJSON(nil) }
