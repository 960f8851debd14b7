package sequencer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/record"
)

// A transaction holds no more documents than there are slots that a record can
// name, whatever the database was created with.
func TestDocumentsInATransaction(t *testing.T) {
	require.Equal(t, 963, limits{entries: 1024}.documents())
	require.Equal(t, 1, limits{entries: 2}.documents())
	require.Equal(t, record.MaxSlot+1, limits{entries: 1 << 20}.documents())
}
