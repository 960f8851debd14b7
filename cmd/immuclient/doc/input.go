package doc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// readArg returns what an argument stands for: the text itself, standard input
// for -, or the content of FILE for @FILE. name is for messages.
func readArg(c *cobra.Command, arg string) (b []byte, name string, err error) {
	switch {
	case arg == "-":
		if b, err = io.ReadAll(c.InOrStdin()); err != nil {
			return nil, "", fmt.Errorf("read standard input: %w", err)
		}
		return b, "standard input", nil
	case strings.HasPrefix(arg, "@"):
		if b, err = os.ReadFile(arg[1:]); err != nil {
			return nil, "", err
		}
		return b, arg[1:], nil
	default:
		return []byte(arg), "argument", nil
	}
}

// jsonArg reads one JSON value from an argument.
func jsonArg(c *cobra.Command, arg string) (value.Value, error) {
	b, name, err := readArg(c, arg)
	if err != nil {
		return value.Value{}, err
	}
	v, err := value.ParseJSON(b)
	if err != nil {
		return value.Value{}, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// idFlag adds --id-type.
func idFlag(c *cobra.Command) *string {
	return c.Flags().String("id-type", "auto", "what ID is: string, int, uuid, json, or auto (see immuclient doc --help)")
}

// parseID reads an id argument by the rule in the package comment.
func parseID(arg, kind string) (value.Value, error) {
	switch kind {
	case "string":
		return value.CheckedString(arg)
	case "uuid":
		u, err := uuid.Parse(arg)
		if err != nil {
			return value.Value{}, fmt.Errorf("id %q: %w", arg, err)
		}
		return value.UUID(u), nil
	case "int":
		v, err := value.ParseJSON([]byte(arg))
		if err != nil || !isInteger(v) {
			return value.Value{}, fmt.Errorf("id %q is not a 64-bit integer", arg)
		}
		return v, nil
	case "json":
		v, err := value.ParseJSON([]byte(arg))
		if err != nil {
			return value.Value{}, fmt.Errorf("id: %w", err)
		}
		return v, nil
	case "auto":
		if v, err := value.ParseJSON([]byte(arg)); err == nil {
			switch v.Kind() {
			case value.KindInt, value.KindUint, value.KindString, value.KindUUID, value.KindBytes:
				return v, nil
			}
		}
		return value.CheckedString(arg)
	}
	return value.Value{}, fmt.Errorf("--id-type %s: want auto, string, int, uuid or json", kind)
}

func isInteger(v value.Value) bool { return v.Kind() == value.KindInt || v.Kind() == value.KindUint }

// ifFlag adds --if. What it returns reads the filter, Null for none.
func ifFlag(c *cobra.Command) func() (value.Value, error) {
	text := c.Flags().String("if", "", "only if the document matches this filter of MongoDB's query language")
	return func() (value.Value, error) {
		if !c.Flags().Changed("if") {
			return value.Null(), nil
		}
		where, err := jsonArg(c, *text)
		if err == nil && where.Kind() != value.KindObject {
			err = fmt.Errorf("a filter is an object, not of type %s", where.Kind())
		}
		if err != nil {
			return where, fmt.Errorf("--if: %w", err)
		}
		return where, nil
	}
}

// moments are the flags that pick a state of the past.
type moments struct {
	flags        *pflag.FlagSet
	tx, revision uint64
	time         string
}

// momentFlags adds --at-tx and --at-time, and --revision where one document is read.
func momentFlags(c *cobra.Command, revision bool) *moments {
	m := &moments{flags: c.Flags()}
	c.Flags().Uint64Var(&m.tx, "at-tx", 0, "as of the end of this transaction")
	c.Flags().StringVar(&m.time, "at-time", "", "as of this time (RFC 3339, for example 2026-01-31T12:00:00Z)")
	if revision {
		c.Flags().Uint64Var(&m.revision, "revision", 0, "this revision of the document")
	}
	return m
}

func (m *moments) moment() (docclient.Moment, error) {
	at := docclient.Moment{Tx: m.tx, Revision: m.revision}
	var given []string
	for _, name := range []string{"at-tx", "at-time", "revision"} {
		if m.flags.Changed(name) {
			given = append(given, "--"+name)
		}
	}
	switch {
	case len(given) > 1:
		return at, fmt.Errorf("%s: want one of them", strings.Join(given, ", "))
	case m.flags.Changed("at-tx") && m.tx == 0:
		return at, errors.New("--at-tx 0: the first transaction is 1")
	case m.flags.Changed("revision") && m.revision == 0:
		return at, errors.New("--revision 0: the first revision is 1")
	case m.flags.Changed("at-time"):
		t, err := time.Parse(time.RFC3339Nano, m.time)
		if err != nil {
			return at, fmt.Errorf("--at-time %q: want RFC 3339 with a time zone, for example 2026-01-31T12:00:00Z", m.time)
		}
		at.Time = t
	}
	return at, nil
}

// What --if-revision says of writes that need a document, and of those that may not
// find one.
const (
	ifRevisionOfDocument = "only if this is the document's revision"
	ifRevisionOrUnused   = ifRevisionOfDocument + "; 0: only if the id was never used"
)

// ifRevisionFlag adds --if-revision.
func ifRevisionFlag(c *cobra.Command, usage string) func() *uint64 {
	n := c.Flags().Uint64("if-revision", 0, usage)
	return func() *uint64 {
		if !c.Flags().Changed("if-revision") {
			return nil
		}
		return n
	}
}
