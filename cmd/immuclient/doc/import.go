package doc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

const (
	// maxLine bounds one line of an import, in bytes: the largest document a
	// server takes is smaller.
	maxLine = 64 << 20
	// maxBatchBytes ends a batch early, so that a request stays far below the
	// server's limit.
	maxBatchBytes = 8 << 20
)

func importCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "import COLL FILE",
		Short: "Store the documents of an NDJSON file",
		Long: `Store the documents of a file with one JSON document a line (NDJSON), in batches,
each of which is one transaction. - reads standard input. Empty lines are passed
over. Batches too large for a transaction, because of the collection's indexes for
instance, are halved, and so are those that follow.

When the import stops early it says how many lines were acknowledged: those are
stored for good, and the import can be taken up again with --skip. The batch under
way when a connection breaks may or may not be stored; Ctrl-C lets it finish.`,
		Args: cobra.ExactArgs(2),
	}
	batch := c.Flags().Int("batch", 500, "documents in one transaction")
	skip := c.Flags().Int("skip", 0, "lines to pass over at the start, to take an import up again")
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		if *batch < 1 {
			return fmt.Errorf("--batch %d: want at least 1", *batch)
		}
		if *skip < 0 {
			return fmt.Errorf("--skip %d: want 0 or more", *skip)
		}
		in, size, name, err := openInput(c, args[1])
		if err != nil {
			return err
		}
		defer in.Close()
		bar := p.bar(size, "import")
		i := &importer{client: client, collection: args[0], name: name, batch: *batch, skip: *skip, bar: bar}
		err = i.run(ctx, in)
		_ = bar.Finish()
		if err != nil && i.acknowledged == 0 && !i.inDoubt {
			return err
		}
		if err == nil && i.lines < *skip {
			err = fmt.Errorf("--skip %d: %s has %d lines only", *skip, i.name, i.lines)
		}
		if err != nil {
			p.notef("the import stopped: %d lines are stored; take it up again with --skip %d", i.acknowledged, i.acknowledged)
			if i.inDoubt {
				p.notef("lines %d to %d may be stored too, all or none: look for one of them (doc get, doc count) before you take it up; if they are, --skip %d",
					i.first, i.last, i.last)
			}
		}
		return errors.Join(p.imported(i), err)
	})
}

// importer stores the documents of one file.
type importer struct {
	client     *docclient.Client
	collection string
	name       string
	batch      int
	skip       int
	bar        *progressbar.ProgressBar

	ops   []docclient.Op // that are not stored yet
	at    []int          // the line of each
	bytes int
	lines int // understood so far: passed over, or in ops

	acknowledged int // lines that are stored, or were passed over
	documents    int // stored
	tx           uint64
	inDoubt      bool // the lines from first to last may be stored as well
	first, last  int
}

func (i *importer) run(ctx context.Context, in io.Reader) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), maxLine)
	for ctx.Err() == nil && scanner.Scan() {
		line := scanner.Bytes()
		_ = i.bar.Add(len(line) + 1)
		if i.lines < i.skip || len(bytes.TrimSpace(line)) == 0 {
			i.lines++
			if len(i.ops) == 0 {
				i.acknowledged = i.lines
			}
			continue
		}
		doc, err := value.ParseJSON(line)
		if err != nil {
			// What came before the bad line is stored all the same.
			return errors.Join(i.flush(ctx), fmt.Errorf("%s: line %d: %w", i.name, i.lines+1, inLine(err, len(line))))
		}
		i.lines++
		i.ops, i.at = append(i.ops, docclient.Op{Document: doc}), append(i.at, i.lines)
		i.bytes += len(line)
		if len(i.ops) >= i.batch || i.bytes >= maxBatchBytes {
			if err := i.flush(ctx); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err := scanner.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("the line is longer than %d bytes", maxLine)
		}
		return errors.Join(i.flush(ctx), fmt.Errorf("%s: line %d: %w", i.name, i.lines+1, err))
	}
	return i.flush(ctx)
}

// inLine is an error about the JSON of one line, whose own number is always 1.
func inLine(err error, length int) error {
	var syntax *value.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	if syntax.Offset >= length {
		return fmt.Errorf("column %d: %s (an import wants one whole document a line)", syntax.Column, syntax.Msg)
	}
	return fmt.Errorf("column %d: %s", syntax.Column, syntax.Msg)
}

// flush stores ops, in batches that a transaction takes. Interrupted it lets the one
// under way finish, so that what is stored is known.
func (i *importer) flush(ctx context.Context) error {
	ops, at := i.ops, i.at
	for len(ops) > 0 && ctx.Err() == nil {
		n := min(len(ops), i.batch)
		documents, err := i.client.Insert(context.WithoutCancel(ctx), i.collection, ops[:n]...)
		if n > 1 && docclient.Reason(err) == "TOO_LARGE" {
			i.batch = n / 2
			continue
		}
		if err != nil {
			i.inDoubt, i.first, i.last = mayBeStored(err), at[0], at[n-1]
			if n == 1 {
				return fmt.Errorf("%s: line %d: %w", i.name, i.first, err)
			}
			return fmt.Errorf("%s: lines %d to %d: %w", i.name, i.first, i.last, err)
		}
		i.tx = documents[0].Tx
		i.documents += n
		if ops, at = ops[n:], at[n:]; len(ops) > 0 {
			i.acknowledged = at[0] - 1
		} else {
			i.acknowledged = i.lines
		}
	}
	if len(ops) > 0 {
		return errors.New("interrupted")
	}
	i.ops, i.at, i.bytes = i.ops[:0], i.at[:0], 0
	return nil
}

// mayBeStored reports whether the error of a write leaves open what became of it:
// the connection was lost on the way, or the receipt was refused.
func mayBeStored(err error) bool {
	if errors.Is(err, docclient.ErrMaybeWritten) || docclient.Reason(err) == "OUTCOME_UNKNOWN" {
		return true
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		return true
	case codes.Unknown: // also what is no status
		return errors.As(err, new(*docclient.CallError))
	default:
		return false
	}
}

// imported reports what was stored, also when the import failed.
func (p *printer) imported(i *importer) error {
	if p.json {
		return p.object(map[string]any{"documents": i.documents, "lines": i.acknowledged, "transaction": i.tx})
	}
	verified := "verified"
	if !i.client.Verifies() {
		verified = "not verified"
	}
	return p.printf("%d documents stored in %s, %s; %d lines of %s acknowledged\n", i.documents, i.collection, verified, i.acknowledged, i.name)
}

// openInput opens a file, or standard input for -. The size is -1 if unknown.
func openInput(c *cobra.Command, file string) (in io.ReadCloser, size int64, name string, err error) {
	if file == "-" {
		return io.NopCloser(c.InOrStdin()), -1, "standard input", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, "", err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, "", errors.Join(err, f.Close())
	}
	return f, info.Size(), file, nil
}

// bar shows progress on standard error if that is a terminal. size is in bytes,
// -1 if unknown.
func (p *printer) bar(size int64, what string) *progressbar.ProgressBar {
	if f, ok := p.err.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return progressbar.DefaultBytesSilent(size, what)
	}
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(p.err), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish())
}
