package doc

import (
	"github.com/spf13/cobra"

	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// explainFlag is that of queries.
func explainFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("explain", false, "say how the query is answered and what it looks at, instead of the answer")
}

// explanation prints how a query was answered. Its texts come from the server.
func (p *printer) explanation(x *docclient.Explanation) error {
	if p.json {
		return p.object(x)
	}
	return p.printf("%s", visible([]byte(x.String())))
}
