package doc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

func exportCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "export COLL FILE",
		Short: "Write the documents of a collection to an NDJSON file",
		Long: `Write the documents of a collection to a file, one a line in the order of their
ids, all as of one transaction. - writes to standard output. The file appears
under its name when it is complete.`,
		Args: cobra.ExactArgs(2),
	}
	at, meta := momentFlags(c, false), metaFlag(c)
	return f.connected(c, func(ctx context.Context, client *docclient.Client, p *printer, args []string) error {
		moment, err := at.moment()
		if err != nil {
			return err
		}
		bar := p.bar(-1, "export")
		list := client.Scan(ctx, args[0], docclient.ListOptions{At: moment})
		if args[1] == "-" {
			_, err := exportTo(p.out, list, *meta, bar)
			p.noteTruncated(list)
			return err
		}
		n, err := exportFile(args[1], list, *meta, bar)
		_ = bar.Finish()
		if err != nil {
			return err
		}
		p.noteTruncated(list)
		if p.json {
			return p.object(map[string]any{"documents": n, "transaction": list.Tx(), "file": args[1]})
		}
		return p.printf("%d documents of %s as of transaction %d written to %s\n", n, args[0], list.Tx(), args[1])
	})
}

// exportFile writes to a file of another name first, so that half an export is
// not mistaken for all of it.
func exportFile(name string, list *docclient.List, meta bool, bar *progressbar.ProgressBar) (n int, err error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return 0, fmt.Errorf("%s is a folder: name the file to write", name)
	}
	part := name + ".part"
	file, err := os.Create(part)
	if err != nil {
		return 0, err
	}
	n, err = exportTo(file, list, meta, bar)
	if err = errors.Join(err, file.Close()); err != nil {
		return n, errors.Join(fmt.Errorf("export: %w", err), os.Remove(part))
	}
	if err := os.Rename(part, name); err != nil {
		return n, errors.Join(err, os.Remove(part))
	}
	return n, nil
}

func exportTo(w io.Writer, list *docclient.List, meta bool, bar *progressbar.ProgressBar) (n int, err error) {
	out := bufio.NewWriter(w)
	var line []byte
	for document, err := range list.Documents() {
		if err != nil {
			return n, errors.Join(err, out.Flush())
		}
		if meta {
			line = appendMeta(line[:0], document, false)
		} else {
			line = appendDocument(line[:0], document.Value)
		}
		line = append(line, '\n')
		if _, err := out.Write(line); err != nil {
			return n, err
		}
		_ = bar.Add(len(line))
		n++
	}
	return n, out.Flush()
}
