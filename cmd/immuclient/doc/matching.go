package doc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// matchingLong is what the help of both changes by filter says.
const matchingLong = `

With --filter instead of ID all documents that match a filter of MongoDB's query
language ({} for all) are changed, in one transaction or not at all; the receipt
of each is verified, which documents matched is the server's word. Where one
transaction does not hold them, --batch N makes transactions of at most N documents,
in the order of their ids: each is atomic, all together are not. When they stop
early the command says how far they came, and --after ID goes on there.`

// matchingFlags are the flags of changes by filter.
type matchingFlags struct {
	command *cobra.Command
	filter  string
	batch   int
	after   string
}

func matchingFlagsOf(c *cobra.Command) *matchingFlags {
	m := &matchingFlags{command: c}
	c.Flags().StringVar(&m.filter, "filter", "", "change all documents that match this filter, instead of one ID")
	c.Flags().IntVar(&m.batch, "batch", 0, "with --filter: in transactions of at most this many documents, instead of one of all")
	c.Flags().StringVar(&m.after, "after", "", "with --filter: only documents whose ids come behind this one (an ID), to go on where --batch stopped")
	return m
}

// args wants the arguments n without the ID where there is a filter.
func (m *matchingFlags) args(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if m.given() {
			return cobra.ExactArgs(n-1)(c, args)
		}
		return cobra.ExactArgs(n)(c, args)
	}
}

func (m *matchingFlags) given() bool { return m.command.Flags().Changed("filter") }

// check refuses flags that do not go together.
func (m *matchingFlags) check() error {
	changed := m.command.Flags().Changed
	for _, one := range []string{"if-revision", "if", "upsert", "return"} {
		if m.given() && changed(one) {
			return fmt.Errorf("--%s, --filter: want one of them", one)
		}
	}
	switch {
	case !m.given() && (changed("batch") || changed("after")):
		return errors.New("--batch, --after: they go with --filter")
	case changed("batch") && (m.batch < 1 || m.batch > math.MaxInt32):
		return fmt.Errorf("--batch %d: want at least 1", m.batch)
	}
	return nil
}

// change is one transaction of a change by filter.
type change func(ctx context.Context, where value.Value, o docclient.MatchingOptions) (*docclient.Matched, error)

// run makes the change, in as many transactions as it takes. done is what is said of
// a document that was changed.
func (m *matchingFlags) run(ctx context.Context, p *printer, collection, idType, done string, one change) error {
	where, err := jsonArg(m.command, m.filter)
	if err != nil {
		return fmt.Errorf("--filter: %w", err)
	}
	o := docclient.MatchingOptions{Limit: uint32(m.batch)}
	if m.command.Flags().Changed("after") {
		if o.After, err = parseID(m.after, idType); err != nil {
			return fmt.Errorf("--after: %w", err)
		}
	}
	if o.Limit > 0 {
		return m.inBatches(ctx, p, done, where, o, one)
	}
	matched, err := one(ctx, where, o)
	if docclient.Reason(err) == "TOO_LARGE" {
		return fmt.Errorf("%w (--batch N does it in transactions of at most N documents)", err)
	}
	if err != nil {
		return err
	}
	p.noteLeftOut(matched)
	if len(matched.Documents) == 0 {
		p.notef("no document of %s matches", plain(collection))
	}
	return p.written(done, matched.Documents)
}

// progress is how often a change in batches says how far it is.
const progress = time.Second

// inBatches makes one transaction after the other.
func (m *matchingFlags) inBatches(ctx context.Context, p *printer, done string, where value.Value, o docclient.MatchingOptions, one change) error {
	documents, transactions, told := 0, 0, time.Now()
	for {
		// An interruption lets the batch under way finish, so that what is changed is known.
		matched, err := one(context.WithoutCancel(ctx), where, o)
		if err != nil {
			p.noteStopped(done, documents, o.After)
			if mayBeStored(err) {
				p.notef("the batch behind it may be %s too, all of it or nothing: look at the documents that follow", done)
			}
			return err
		}
		p.noteLeftOut(matched)
		if n := len(matched.Documents); n > 0 {
			documents, transactions, o.After = documents+n, transactions+1, matched.Documents[n-1].ID
		}
		if err := p.written(done, matched.Documents); err != nil {
			p.noteStopped(done, documents, o.After)
			return err
		}
		if !matched.More {
			p.notef("%s %s in %s transactions", thousands(documents), done, thousands(transactions))
			return nil
		}
		if ctx.Err() != nil {
			p.noteStopped(done, documents, o.After)
			return errors.New("interrupted")
		}
		if time.Since(told) >= progress {
			p.notef("%s %s …", thousands(documents), done)
			told = time.Now()
		}
	}
}

// noteStopped says how far a change in batches came, and how it is taken up.
func (p *printer) noteStopped(done string, documents int, last value.Value) {
	switch {
	case documents > 0:
		p.notef("stopped: %s documents are %s, the last one is %s; go on with --after %s", thousands(documents), done, shown(last), shellWord(shown(last)))
	case last.IsNull():
		p.notef("stopped: nothing is %s", done)
	default:
		p.notef("stopped: nothing more is %s; go on with --after %s", done, shellWord(shown(last)))
	}
}

// noteLeftOut tells how many documents a change had to leave out.
func (p *printer) noteLeftOut(m *docclient.Matched) {
	if m.Truncated > 0 {
		p.notef("%d documents, the first %s, are left out: the database's retention period has dropped their content, so whether they match is not known",
			m.Truncated, shown(m.FirstTruncated))
	}
}

// shellWord quotes a text for a shell.
func shellWord(text string) string {
	if strings.Trim(text, "-0123456789") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// thousands writes a number with a comma before every three digits.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
