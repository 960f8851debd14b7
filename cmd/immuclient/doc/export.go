package doc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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

// exportFile writes the export to a file.
func exportFile(name string, list *docclient.List, meta bool, bar *progressbar.ProgressBar) (n int, err error) {
	err = writeWhole(name, 0o666, func(w io.Writer) error {
		if n, err = exportTo(w, list, meta, bar); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		return nil
	})
	return n, err
}

// writeWhole writes to a file of another name first, so that half of what it is to
// hold is not mistaken for all of it. What is there and is no file, such as a device or
// a pipe, is written to as it is.
func writeWhole(name string, mode os.FileMode, write func(io.Writer) error) error {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name the file to write", name)
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(file), file.Close())
	case err == nil: // the file that a link leads to, not the link
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return err
		}
	}
	part := name + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if mode&0o077 == 0 { // for the owner alone, also where the file was there
		err = file.Chmod(mode)
	}
	if err == nil {
		err = write(file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, name); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
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
