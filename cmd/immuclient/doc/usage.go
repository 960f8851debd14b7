package doc

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// connectionFlags are those of immuclient's own flags that the group uses. The
// others (auditing, tokens, key-value output) are left out of its help.
var connectionFlags = []string{
	"immudb-address", "immudb-port", "username", "password", "database", "config",
	"mtls", "certificate", "clientcas", "pkey", "servername", "max-recv-msg-size", "server-signing-pub-key",
}

// helpShort shows the help of the group's commands with only the flags that
// concern them.
func helpShort(group *cobra.Command) {
	cobra.AddTemplateFunc("docFlags", docFlags)
	template := group.UsageTemplate()
	group.SetUsageTemplate(strings.Replace(template,
		"{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}", "{{docFlags . | trimTrailingWhitespaces}}", 1))
}

// docFlags lists the inherited flags that a command uses.
func docFlags(c *cobra.Command) string {
	shown := pflag.NewFlagSet("shown", pflag.ContinueOnError)
	wanted := map[string]bool{"output": true, "unverified": true}
	for _, name := range connectionFlags {
		wanted[name] = true
	}
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if wanted[f.Name] {
			shown.AddFlag(f)
		}
	})
	return shown.FlagUsages()
}
