package aggregate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// A short pipeline can make much of one document before what becomes of it is measured.
func TestWhatIsMadeOfOneDocumentIsBounded(t *testing.T) {
	const parts = 8 // of 16 MiB
	doubled := fmt.Sprintf(`[{"$set":{"s":"%s"}}`, strings.Repeat("x", 1<<10)) + strings.Repeat(`,{"$set":{"s":{"$concat":["$s","$s"]}}}`, 13)
	list := func(format string) string {
		var all []string
		for i := range parts {
			all = append(all, fmt.Sprintf(format, i))
		}
		return strings.Join(all, ",")
	}
	long := `[{"$set":{"l":{"$literal":[{"b":1}` + strings.Repeat(`,{"b":1}`, 100_000) + `]}}}`
	for name, text := range map[string]string{
		"elements":     doubled + `,{"$set":{"a":[0,` + list(`{"$toUpper":{"$concat":["$s","%d"]}}`) + `]}}]`,
		"members":      doubled + `,{"$set":{"a":{"$cond":[true,{` + list(`"k%d":{"$concat":["$s","$s"]}`) + `},1]}}}]`,
		"operands":     doubled + `,{"$set":{"a":{"$concat":[` + list(`{"$concat":["%d","$s"]}`) + `]}}}]`,
		"fields":       doubled + `,{"$project":{` + list(`"k%d":{"$concat":["$s","$s"]}`) + `}}]`,
		"accumulators": doubled + `,{"$group":{"_id":1,` + list(`"k%d":{"$last":{"$concat":["$s","$s"]}}`) + `}}]`,
		"paths":        long + `,{"$set":{"n":[` + strings.Repeat(`"$l.b",`, 20) + `0]}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			source := &memory{collections: map[string][]value.Value{"c": documents(t, `{"_id":1}`)}}
			_, err := collect(pipeline(t, text).Run(t.Context(), source, "c"))
			require.ErrorIs(t, err, aggregate.ErrLimit)
			require.ErrorContains(t, err, "document with _id 1: too large a value: expressions make more than 67108864 bytes of one document, the limit")
		})
	}
	// What stands in the document is not made.
	stored := long + `,{"$set":{"n":{"m":"$l"}}},{"$project":{"n":[` + strings.Repeat(`{"$size":"$n.m"},`, 100) + `0]}},{"$project":{"_id":1}}]`
	source := &memory{collections: map[string][]value.Value{"c": documents(t, `{"_id":1}`)}}
	got, err := collect(pipeline(t, stored).Run(t.Context(), source, "c"))
	require.NoError(t, err)
	requireSame(t, documents(t, `{"_id":1}`), got, stored)
}
