package doc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/codenotary/immudb/cmd/immuclient/immuc"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// closeTimeout bounds the goodbye to a server that may be gone.
const closeTimeout = 2 * time.Second

// connect opens a session with immuclient's connection flags, its configuration
// file and its environment variables.
func (f *flags) connect(ctx context.Context, c *cobra.Command) (*docclient.Client, error) {
	immudb := immuc.OptionsFromEnv().GetImmudbClientOptions()
	o := docclient.DefaultOptions().WithImmudb(immudb).WithUnverified(f.unverified)
	if immudb.Database != "" {
		o.WithDatabase(immudb.Database)
	}
	user, password := o.Username, immudb.Password
	if immudb.Username != "" {
		user = immudb.Username
	}
	if password == "" {
		var err error
		if password, err = askPassword(c, user); err != nil {
			return nil, err
		}
	}
	client, err := docclient.Open(ctx, o.WithUser(user, password))
	if err != nil || f.unverified {
		return client, err
	}
	// Whatever is asked for, the server must be the one that is trusted, with a
	// ledger that continues what is trusted of it.
	if _, err := client.State(ctx); err != nil {
		return nil, errors.Join(advise(err), goodbye(ctx, client))
	}
	return client, nil
}

// goodbye ends the session, even when ctx has ended.
func goodbye(ctx context.Context, client *docclient.Client) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return client.Close(closing)
}

// askPassword prompts on the terminal; standard input may hold documents and is
// left alone otherwise.
func askPassword(c *cobra.Command, user string) (string, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", fmt.Errorf("no password for user %s: set --password or IMMUCLIENT_PASSWORD", user)
	}
	fmt.Fprintf(c.ErrOrStderr(), "Password of %s: ", user)
	b, err := term.ReadPassword(in)
	fmt.Fprintln(c.ErrOrStderr())
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if len(b) == 0 {
		return "", errors.New("no password was given")
	}
	return string(b), nil
}

// advise adds to the refusal of a server's ledger what may be behind it and what
// can be done.
func advise(err error) error {
	var check *proof.CheckError
	fork := errors.Is(err, docclient.ErrFork) || errors.As(err, &check) && check.Check == proof.CheckState
	if !fork && !errors.Is(err, docclient.ErrServerBehind) {
		return err
	}
	return fmt.Errorf(`%w
(This is not the ledger that the trusted state in .state-* was taken from: the server
has an older or another copy of its data, or the ledger was changed. Find out why
before you trust it. If it is meant to be so, move the .state-* file away.)`, err)
}
