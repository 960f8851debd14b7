package docserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/immudbhost"
)

// Invariant 4: whatever an error is wrapped in, its row of the table decides.
func TestErrorTable(t *testing.T) {
	for _, row := range table {
		wrapped := fmt.Errorf("while testing: %w", &document.OpError{
			Index: 3, Collection: "things", ID: value.String("x"), Err: fmt.Errorf("one more: %w", row.err),
		})
		info, details := requireStatus(t, toStatus(wrapped), row.code, row.reason)
		require.Equal(t, "3", info.Metadata["operation"])
		require.Equal(t, "things", info.Metadata["collection"])
		require.NotEqual(t, codes.OK, row.code)
		require.NotEqual(t, codes.Internal, row.code, "nothing the engine says is internal")
		require.Len(t, details, 2)
	}
}

func TestErrorOrder(t *testing.T) {
	// A write whose caller went away is not merely cancelled.
	requireStatus(t, toStatus(fmt.Errorf("%w: %w", document.ErrOutcomeUnknown, context.Canceled)), codes.Unknown, "OUTCOME_UNKNOWN")
	requireStatus(t, toStatus(fmt.Errorf("%w: %w", document.ErrCorrupted, document.ErrNotFound)), codes.DataLoss, "CORRUPTED")
	requireStatus(t, toStatus(fmt.Errorf("%w: %w", immudbhost.ErrNotAttached, document.ErrNewerFormat)), codes.FailedPrecondition, "NEWER_FORMAT")
	requireStatus(t, toStatus(fmt.Errorf("reading: %w", store.ErrAlreadyClosed)), codes.Unavailable, "CLOSED")
}

func TestUnknownErrorsAreInternal(t *testing.T) {
	requireStatus(t, toStatus(io.ErrUnexpectedEOF), codes.Internal, "INTERNAL")
	require.NoError(t, toStatus(nil))

	already := status.Error(codes.Aborted, "said before")
	require.Same(t, already, toStatus(already))
}

func TestErrorDetails(t *testing.T) {
	_, syntax := value.ParseJSON([]byte(`{"a":1,"a":2}`))
	_, details := requireStatus(t, toStatus(inField("operations[7]", inField("document", syntax))), codes.InvalidArgument, "MALFORMED")
	violation := detail[*errdetails.BadRequest](t, details).FieldViolations[0]
	require.Equal(t, "operations[7].document", violation.Field)
	require.Equal(t, "MALFORMED", violation.Reason)
	require.Equal(t, syntax.Error(), violation.Description)

	_, notCanonical := canon.Decode([]byte{0x18, 0x01})
	require.Error(t, notCanonical)
	requireStatus(t, toStatus(inField("id", notCanonical)), codes.InvalidArgument, "MALFORMED")

	info, details := requireStatus(t, toStatus(&document.OpError{
		Index: 1, Collection: "things", ID: value.Int(5), Err: &document.RevisionError{Expected: 2, Newest: 4},
	}), codes.Aborted, "REVISION_CONFLICT")
	require.Equal(t, map[string]string{
		"operation": "1", "collection": "things", "id": "5", "expectedRevision": "2", "newestRevision": "4",
	}, info.Metadata)
	resource := detail[*errdetails.ResourceInfo](t, details)
	require.Equal(t, "document", resource.ResourceType)
	require.Equal(t, "things/5", resource.ResourceName)

	// Where there is no collection there is no document to name.
	_, details = requireStatus(t, toStatus(ofDocument("gone", value.Int(5), document.ErrCollectionNotFound)), codes.NotFound, "COLLECTION_NOT_FOUND")
	resource = detail[*errdetails.ResourceInfo](t, details)
	require.Equal(t, "collection", resource.ResourceType)
	require.Equal(t, "gone", resource.ResourceName)
	require.NoError(t, ofCollection("things", nil))
	require.NoError(t, inField("field", nil))
}

func detail[D any](t *testing.T, details []any) D {
	t.Helper()
	for _, d := range details {
		if found, ok := d.(D); ok {
			return found
		}
	}
	require.Fail(t, "detail is missing")
	panic(errors.ErrUnsupported)
}
