// Package doc is the command group `immuclient doc`: documents on the command
// line, verified by default.
//
// It parses arguments, calls pkg/client/docclient and prints; it never speaks to
// a server by itself, and `doc verify` to none at all. One file holds one
// subcommand.
//
// # Output
//
// Results go to standard output, everything else to standard error. Without -o
// json they are for people and may change; with -o json they are for programs:
// one JSON value, or one a line for lists.
//
// # Ids
//
// An id argument is a string, unless it is an integer in JSON's form (42, -7), a
// JSON string in quotes ("42") or an Extended JSON object ({"$uuid": "..."},
// {"$binary": ...}); then it is that value. --id-type decides where that guess is
// wrong: string, int, uuid or json.
//
// # Exit codes
//
// 0 done and verified as asked; 1 an error; 2 a proof was refused, or the server's
// ledger is not the trusted one; 3 evidence is consistent but nothing that is
// trusted vouches for it; 4 a check of a database found something; 141, as of a program
// that SIGPIPE ended, where whoever read the output went away: the command closes its
// session and says nothing.
package doc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// Exit codes beside 0.
const (
	codeError      = 1
	codeRefused    = 2
	codeUnanchored = 3
	codeFindings   = 4
	codeReaderGone = 128 + int(syscall.SIGPIPE)
)

// Error is what a command of this group ends with when it fails.
type Error struct {
	Code int // exit code
	Err  error
}

// Error returns the message for standard error.
func (e *Error) Error() string {
	return "Error: " + visible([]byte(strings.ReplaceAll(e.Err.Error(), "docclient: ", "")))
}

// Silent reports whether nothing is to be said of it.
func (e *Error) Silent() bool { return e.Code == codeReaderGone }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func failure(err error) *Error {
	var check *proof.CheckError
	switch {
	case errors.Is(err, proof.ErrUnanchored):
		return &Error{Code: codeUnanchored, Err: err}
	case errors.Is(err, syscall.EPIPE): // of the output: what a connection breaks with is a status
		return &Error{Code: codeReaderGone, Err: err}
	case errors.Is(err, docclient.ErrVerification), errors.Is(err, docclient.ErrServerBehind), errors.As(err, &check):
		return &Error{Code: codeRefused, Err: err}
	case errors.Is(err, errFindings):
		return &Error{Code: codeFindings, Err: err}
	default:
		return &Error{Code: codeError, Err: err}
	}
}

// flags are those that all commands of the group share.
type flags struct {
	output     string
	unverified bool
}

// NewCommand returns the command group, to be added to immuclient's root command,
// whose connection flags it uses.
func NewCommand() *cobra.Command {
	var f flags
	group := &cobra.Command{
		Use:   "doc",
		Short: "Store, read, change and prove documents",
		Long: `Store, read, change and prove documents.

Every document that the server returns or stores is verified against the trusted
state, which is kept in the same files as that of immuclient's other commands
(.state-* in the current folder); --unverified turns that off. Counts, the options of
collections, and indexes are the server's word.

A command opens a session of its own, as --username on --database, or as the
environment and the configuration file say (IMMUCLIENT_USERNAME,
IMMUCLIENT_PASSWORD, IMMUCLIENT_DATABASE); immuclient's login and use do not apply,
and the interactive shell has no doc commands.

Where JSON is expected, - reads standard input and @FILE reads a file. An ID is a
string, unless it is a JSON integer (42), a JSON string in quotes ("42") or an
Extended JSON object ({"$uuid":"..."}); --id-type says what it is where that
guess is wrong.

Exit codes: 0 done, 1 error, 2 a proof was refused or the server's ledger is not the
trusted one, 3 consistent but unanchored evidence, 4 a check found something.`,
	}
	asGroup(group)
	helpShort(group)
	group.PersistentFlags().StringVarP(&f.output, "output", "o", "text", "text for people, json for programs")
	group.PersistentFlags().BoolVar(&f.unverified, "unverified", false, "neither ask for proofs nor verify anything")
	group.AddCommand(
		collectionCommand(&f),
		indexCommand(&f),
		insertCommand(&f),
		getCommand(&f),
		findCommand(&f),
		countCommand(&f),
		aggregateCommand(&f),
		distinctCommand(&f),
		updateCommand(&f),
		replaceCommand(&f),
		deleteCommand(&f),
		txCommand(&f),
		historyCommand(&f),
		watchCommand(&f),
		proveCommand(&f),
		verifyCommand(&f),
		importCommand(&f),
		exportCommand(&f),
		checkCommand(&f),
	)
	return group
}

// asGroup completes a command that only has subcommands: a word that is none of
// them is an error.
func asGroup(c *cobra.Command) {
	c.SilenceUsage, c.SilenceErrors = true, true
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			c.SuggestionsMinimumDistance = 2
			err := fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
			if like := c.SuggestionsFor(args[0]); len(like) > 0 {
				err = fmt.Errorf("%w; there is %s", err, strings.Join(like, ", "))
			}
			return failure(err)
		}
		return c.Help()
	}
}

// command completes a subcommand: what run returns ends the program.
func (f *flags) command(c *cobra.Command, run func(ctx context.Context, p *printer, args []string) error) *cobra.Command {
	c.SilenceErrors = true
	args := c.Args
	c.Args = func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return &Error{Code: codeError, Err: errors.New(err.Error() + "\n" + cmd.UseLine())}
		}
		return nil
	}
	c.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if strings.HasPrefix(err.Error(), "unknown shorthand flag") {
			err = fmt.Errorf("%w; put -- before an argument that begins with -", err)
		}
		return &Error{Code: codeError, Err: errors.New(err.Error() + "\n" + cmd.UseLine())}
	})
	c.RunE = func(cmd *cobra.Command, given []string) error {
		p, err := newPrinter(cmd.OutOrStdout(), cmd.ErrOrStderr(), f.output)
		if err != nil {
			return failure(err)
		}
		parent := cmd.Context()
		if parent == nil {
			parent = context.Background()
		}
		signal.Ignore(syscall.SIGPIPE) // it would leave the session open; the write's error ends the command
		ctx, stop := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second signal ends the program at once
		if err := run(ctx, p, given); err != nil {
			return failure(err)
		}
		return nil
	}
	c.SilenceUsage = true
	return c
}

// connected is command for subcommands that need a server.
func (f *flags) connected(c *cobra.Command, run func(ctx context.Context, client *docclient.Client, p *printer, args []string) error) *cobra.Command {
	return f.command(c, func(ctx context.Context, p *printer, args []string) (err error) {
		client, err := f.connect(ctx, c)
		if err != nil {
			return err
		}
		defer func() {
			if cerr := goodbye(ctx, client); err == nil {
				err = cerr
			}
		}()
		return advise(run(ctx, client, p, args))
	})
}
