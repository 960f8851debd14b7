package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The verifier, and what it stands on, can be used without immudb and without
// its licence: its dependencies are the standard library, our own packages, and
// the few modules named here.
func TestVerifierStandsAlone(t *testing.T) {
	t.Parallel()
	for _, pkg := range []string{"value", "canon", "ptree", "proof"} {
		list := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "github.com/immudoc/immudoc/embedded/document/"+pkg)
		out, err := list.Output()
		require.NoError(t, err)
		deps := strings.Fields(string(out))
		require.NotEmpty(t, deps)
		for _, dep := range deps {
			require.True(t, strings.HasPrefix(dep, "github.com/immudoc/immudoc/embedded/document/") ||
				strings.HasPrefix(dep, "golang.org/x/mod/"), "%s depends on %s", pkg, dep)
		}
		if pkg == "proof" {
			t.Logf("dependencies of proof: %s", strings.Join(deps, " "))
		}
	}
}
