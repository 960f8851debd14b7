package doc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// errFindings ends a check that found something.
var errFindings = errors.New("the database contradicts itself")

func checkCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "check [COLL…]",
		Short: "Have the server compare all it has with its ledger",
		Long: `Have the server read its whole ledger, compute everything in it anew and compare: the
chain of transactions and their log, the evidence, the property tree and the history
of every document, collections, and the entries and the uniqueness of indexes, with
the store's own index too. Findings are printed one a line. With names, only the
documents and indexes of those collections are checked.

It runs beside reads and writes, as of the transaction that is the newest at its start
(or --to-tx), sorts in temporary files on the server, and takes the permission admin.
--from-tx N takes for granted what is older than transaction N, as after an earlier check.

What it does not prove: the server checks itself, so this finds accidents (a damaged
disk, a lost file, a defect), not a server that lies. The command verifies that the
state that was checked belongs to the ledger that it trusts. What a truncation has
dropped cannot be checked; the command says so.

Exit codes: 0 nothing was found, 1 error, 2 the state that was checked is not one of
the trusted ledger, 4 something was found.`,
		Example: `  immuclient doc check
  immuclient doc check orders --from-tx 120000 -o json`,
		Args: cobra.ArbitraryArgs,
	}
	var o docclient.CheckOptions
	c.Flags().Uint64Var(&o.FromTx, "from-tx", 0, "first transaction to check; 0 for the first of all")
	c.Flags().Uint64Var(&o.ToTx, "to-tx", 0, "transaction to check up to; 0 for the newest")
	c.Flags().Uint32Var(&o.MaxFindings, "limit", 1000, "most findings to print; the others are counted")
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if o.MaxFindings == 0 {
			return errors.New("--limit: want 1 or more")
		}
		bar := p.checkBar()
		o.Collections, o.Progress = args, bar.show
		check := client.Check(ctx, o)
		printed := uint64(0)
		for finding, err := range check.Findings() {
			bar.clear()
			if err != nil {
				return err
			}
			if err := p.finding(finding); err != nil {
				return err
			}
			printed++
		}
		bar.clear()
		return p.checked(check.Summary(), printed)
	})
}

// findingForm is the machine form of a finding.
type findingForm struct {
	Rule        string `json:"rule"`
	Transaction uint64 `json:"transaction,omitempty"`
	Collection  string `json:"collection,omitempty"`
	Number      uint32 `json:"collectionId,omitempty"`
	ID          raw    `json:"id,omitempty"`
	Index       string `json:"index,omitempty"`
	Detail      string `json:"detail"`
}

// raw is JSON as it is.
type raw string

// MarshalJSON implements json.Marshaler.
func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func (p *printer) finding(f *docclient.Finding) error {
	if p.json {
		form := findingForm{
			Rule: f.Rule, Transaction: f.Tx, Collection: f.Collection, Number: f.CollectionID, Index: f.Index, Detail: f.Detail,
		}
		if !f.ID.IsNull() {
			form.ID = raw(jsonOf(f.ID))
		}
		return p.object(form)
	}
	var b strings.Builder
	if f.Tx != 0 {
		fmt.Fprintf(&b, "transaction %d, ", f.Tx)
	}
	switch {
	case f.Collection != "":
		fmt.Fprintf(&b, "collection %s, ", plain(f.Collection))
	case f.CollectionID != 0:
		fmt.Fprintf(&b, "collection number %d, ", f.CollectionID)
	}
	if !f.ID.IsNull() {
		fmt.Fprintf(&b, "document %s, ", shown(f.ID))
	}
	if f.Index != "" {
		fmt.Fprintf(&b, "index %s, ", plain(f.Index))
	}
	return p.printf("%s%s: %s\n", b.String(), plain(f.Rule), visible([]byte(f.Detail)))
}

// summaryForm is the machine form of the end of a check.
type summaryForm struct {
	OK                   bool     `json:"ok"`
	Transaction          uint64   `json:"transaction"`
	FromTransaction      uint64   `json:"fromTransaction"`
	Transactions         uint64   `json:"transactions"`
	Collections          uint64   `json:"collections"`
	Documents            uint64   `json:"documents"`
	Revisions            uint64   `json:"revisions"`
	IndexEntries         uint64   `json:"indexEntries"`
	Findings             uint64   `json:"findings"`
	TruncatedTransaction uint64   `json:"truncatedTransaction,omitempty"`
	Unchecked            []string `json:"unchecked"`
	Verified             bool     `json:"verified"`
}

// checked prints the end of a check; printed is how many findings were.
func (p *printer) checked(s *docclient.CheckSummary, printed uint64) error {
	var err error
	switch {
	case p.json:
		err = p.object(summaryForm{
			OK: s.Findings == 0, Transaction: s.State.TxID, FromTransaction: s.FromTx, Transactions: s.Transactions,
			Collections: s.Collections, Documents: s.Documents, Revisions: s.Revisions, IndexEntries: s.IndexEntries,
			Findings: s.Findings, TruncatedTransaction: s.TruncatedTx, Unchecked: append([]string{}, s.Unchecked...), Verified: s.Verified,
		})
	case s.Findings == 0:
		err = p.printf("ok: %d transactions, %d documents, %d index entries checked up to transaction %d\n",
			s.Transactions, s.Documents, s.IndexEntries, s.State.TxID)
	}
	if err != nil {
		return err
	}
	for _, what := range s.Unchecked {
		p.notef("not checked: %s", visible([]byte(what)))
	}
	if s.Verified {
		p.notef("The state at transaction %d belongs to the trusted ledger. That it was checked, and what was found, is the server's word.", s.State.TxID)
	} else {
		p.notef("That the state at transaction %d was checked, and what was found, is the server's word.", s.State.TxID)
	}
	if s.Findings == 0 {
		return nil
	}
	more := ""
	if s.Findings > printed {
		more = fmt.Sprintf(" (%d are not printed: see --limit)", s.Findings-printed)
	}
	return fmt.Errorf("%w: %d findings%s in %d transactions, %d documents, %d index entries checked up to transaction %d",
		errFindings, s.Findings, more, s.Transactions, s.Documents, s.IndexEntries, s.State.TxID)
}

// checkBar shows the progress of a check on standard error if that is a terminal: first of
// the transactions, then of the keys.
type checkBar struct {
	bar       *progressbar.ProgressBar // nil for none
	comparing bool
}

func (p *printer) checkBar() *checkBar {
	f, ok := p.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &checkBar{}
	}
	return &checkBar{bar: progressbar.NewOptions64(1, progressbar.OptionSetWriter(p.err), progressbar.OptionSetDescription("transactions"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionClearOnFinish())}
}

func (b *checkBar) show(p docclient.CheckProgress) {
	if b.bar == nil {
		return
	}
	done, all := p.Tx, p.NewestTx
	if p.Compared > 0 {
		if done, all = p.Compared, p.ToCompare; !b.comparing {
			b.comparing = true
			b.bar.Describe("versions of keys")
		}
	}
	if done >= all { // a full bar would end itself
		return
	}
	b.bar.ChangeMax64(int64(all))
	_ = b.bar.Set64(int64(done))
}

func (b *checkBar) clear() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
