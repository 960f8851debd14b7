package docserver

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/codenotary/immudb/embedded/watchers"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/immudbhost"
)

// errorDomain is the domain of the reasons in error details.
const errorDomain = "immudoc"

// table maps the errors of the engine to gRPC codes and reasons. The first
// entry that matches counts.
var table = []struct {
	err    error
	code   codes.Code
	reason string
}{
	{document.ErrOutcomeUnknown, codes.Unknown, "OUTCOME_UNKNOWN"},
	{context.Canceled, codes.Canceled, "CANCELED"},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "DEADLINE_EXCEEDED"},

	{document.ErrCorrupted, codes.DataLoss, "CORRUPTED"},
	{document.ErrValueGone, codes.FailedPrecondition, "TRUNCATED"},
	{document.ErrNewerFormat, codes.FailedPrecondition, "NEWER_FORMAT"},
	{document.ErrRecordNewerFormat, codes.FailedPrecondition, "NEWER_FORMAT"},

	{document.ErrNotFound, codes.NotFound, "DOCUMENT_NOT_FOUND"},
	{document.ErrRevisionNotFound, codes.NotFound, "REVISION_NOT_FOUND"},
	{document.ErrCollectionNotFound, codes.NotFound, "COLLECTION_NOT_FOUND"},
	{document.ErrCollectionExists, codes.AlreadyExists, "COLLECTION_EXISTS"},
	{document.ErrDuplicateID, codes.AlreadyExists, "DUPLICATE_ID"},
	{document.ErrRevisionConflict, codes.Aborted, "REVISION_CONFLICT"},
	{document.ErrPrecondition, codes.FailedPrecondition, "PRECONDITION_FAILED"},
	{document.ErrAppendOnly, codes.FailedPrecondition, "APPEND_ONLY"},
	{document.ErrSchema, codes.InvalidArgument, "SCHEMA_VIOLATION"},
	{document.ErrWriteOnce, codes.FailedPrecondition, "WRITE_ONCE"},
	{document.ErrDocumentTooLarge, codes.InvalidArgument, "DOCUMENT_TOO_LARGE"},
	{document.ErrIndexNotFound, codes.NotFound, "INDEX_NOT_FOUND"},
	{document.ErrIndexExists, codes.AlreadyExists, "INDEX_EXISTS"},
	{document.ErrIndexFailed, codes.FailedPrecondition, "INDEX_FAILED"},
	{document.ErrUnique, codes.AlreadyExists, "NOT_UNIQUE"},

	{document.ErrInvalidRules, codes.InvalidArgument, "INVALID_RULES"}, // also of a path
	{document.ErrInvalidIndex, codes.InvalidArgument, "INVALID_INDEX"}, // also of its filter or fields
	{document.ErrInvalidName, codes.InvalidArgument, "INVALID_NAME"},
	{document.ErrInvalidID, codes.InvalidArgument, "INVALID_ID"},
	{document.ErrIDMismatch, codes.InvalidArgument, "ID_MISMATCH"},
	{document.ErrInvalidDocument, codes.InvalidArgument, "INVALID_DOCUMENT"},
	{document.ErrRepeatedDocument, codes.InvalidArgument, "REPEATED_DOCUMENT"},
	{document.ErrTooLarge, codes.InvalidArgument, "TOO_LARGE"},
	{document.ErrInvalidMoment, codes.InvalidArgument, "INVALID_MOMENT"},
	{document.ErrInvalidOptions, codes.InvalidArgument, "INVALID_OPTIONS"},
	{document.ErrFuture, codes.OutOfRange, "FUTURE"},
	{update.ErrInvalid, codes.InvalidArgument, "INVALID_UPDATE"}, // also of a filter in it
	{update.ErrInapplicable, codes.FailedPrecondition, "UPDATE_FAILED"},
	{filter.ErrInvalid, codes.InvalidArgument, "INVALID_FILTER"},
	{query.ErrSort, codes.InvalidArgument, "INVALID_SORT"},
	{aggregate.ErrInvalid, codes.InvalidArgument, "INVALID_PIPELINE"},
	{aggregate.ErrEvaluate, codes.FailedPrecondition, "PIPELINE_FAILED"},
	{aggregate.ErrLimit, codes.FailedPrecondition, "PIPELINE_LIMIT"},
	{fieldpath.ErrInvalid, codes.InvalidArgument, "INVALID_PATH"},
	{errPageToken, codes.InvalidArgument, "INVALID_PAGE_TOKEN"},
	{errResumeToken, codes.InvalidArgument, "INVALID_RESUME_TOKEN"},
	{errAhead, codes.OutOfRange, "AHEAD_OF_LEDGER"},
	{check.ErrReplaced, codes.Aborted, "DATABASE_REPLACED"},

	{proof.ErrPropertyNotFound, codes.NotFound, "PROPERTY_NOT_FOUND"},
	{proof.ErrPropertyExists, codes.FailedPrecondition, "PROPERTY_EXISTS"},
	{proof.ErrRequest, codes.InvalidArgument, "INVALID_PROOF_REQUEST"},

	{document.ErrReplica, codes.FailedPrecondition, "REPLICA"},
	{document.ErrOverloaded, codes.ResourceExhausted, "OVERLOADED"},
	{watchers.ErrMaxWaitessLimitExceeded, codes.ResourceExhausted, "TOO_MANY_WAITING"},
	{document.ErrClosed, codes.Unavailable, "CLOSED"},
	{store.ErrAlreadyClosed, codes.Unavailable, "CLOSED"},
	{immudbhost.ErrDatabaseClosed, codes.Unavailable, "DATABASE_NOT_LOADED"},
	{immudbhost.ErrUnknownDatabase, codes.NotFound, "DATABASE_NOT_FOUND"},
	{immudbhost.ErrSystemDatabase, codes.PermissionDenied, "SYSTEM_DATABASE"},
	{immudbhost.ErrNotAttached, codes.FailedPrecondition, "NOT_ATTACHED"},
}

// toStatus turns any error into a gRPC status error that says what failed and
// on what.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	code, reason := codes.Internal, "INTERNAL"
	for _, row := range table {
		if errors.Is(err, row.err) {
			code, reason = row.code, row.reason
			break
		}
	}
	var syntax *value.SyntaxError
	var notCanonical *canon.Error
	if code == codes.Internal && (errors.As(err, &syntax) || errors.As(err, &notCanonical)) {
		code, reason = codes.InvalidArgument, "MALFORMED"
	}
	return withDetails(code, err.Error(), details(err, reason)...)
}

// refuse makes a status error for what the server itself refuses.
func refuse(code codes.Code, reason, format string, args ...any) error {
	return withDetails(code, fmt.Sprintf(format, args...), &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain})
}

func withDetails(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	st := status.New(code, message)
	if detailed, err := st.WithDetails(details...); err == nil {
		st = detailed
	}
	return st.Err()
}

func details(err error, reason string) []protoadapt.MessageV1 {
	info := &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain, Metadata: map[string]string{}}
	out := []protoadapt.MessageV1{info}
	var op *document.OpError
	var on *resourceError
	switch {
	case errors.As(err, &on) && on.index != "":
		out = append(out, on.resource(info))
	case errors.As(err, &op):
		info.Metadata["operation"] = strconv.Itoa(op.Index)
		out = append(out, resource(info, op.Collection, op.ID, op.Err))
	case on != nil:
		out = append(out, resource(info, on.collection, on.id, on.err))
	}
	var conflict *document.RevisionError
	if errors.As(err, &conflict) {
		info.Metadata["expectedRevision"] = strconv.FormatUint(conflict.Expected, 10)
		info.Metadata["newestRevision"] = strconv.FormatUint(conflict.Newest, 10)
	}
	var unique *document.UniqueError
	if errors.As(err, &unique) {
		info.Metadata["index"] = unique.Index.Name
		info.Metadata["holder"] = string(unique.Holder.AppendJSON(nil))
	}
	var change *update.Error
	if errors.As(err, &change) {
		info.Metadata["at"] = change.At
	}
	var rule *document.RuleError
	if errors.As(err, &rule) {
		out = append(out, ofRule(info, rule, reason))
	}
	var field *fieldError
	if errors.As(err, &field) {
		out = append(out, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: field.field, Description: field.err.Error(), Reason: reason},
		}})
	}
	return out
}

// ofRule names the place in a document at which it would break a rule, in info too.
func ofRule(info *errdetails.ErrorInfo, rule *document.RuleError, reason string) *errdetails.BadRequest {
	info.Metadata["path"] = rule.Path
	if rule.Schema != "" {
		info.Metadata["keyword"], info.Metadata["schemaPath"] = rule.Keyword, rule.Schema
	}
	if rule.Limit > 0 {
		info.Metadata["size"], info.Metadata["limit"] = strconv.Itoa(rule.Size), strconv.Itoa(rule.Limit)
	}
	return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: rule.Path, Description: rule.Detail, Reason: reason},
	}}
}

// resource names the collection or the document that an error is about, in info
// too.
func resource(info *errdetails.ErrorInfo, collection string, id value.Value, err error) *errdetails.ResourceInfo {
	info.Metadata["collection"] = collection
	r := &errdetails.ResourceInfo{ResourceType: "collection", ResourceName: collection, Description: err.Error()}
	if !id.IsNull() && !errors.Is(err, document.ErrCollectionNotFound) {
		text := string(id.AppendJSON(nil))
		info.Metadata["id"] = text
		r.ResourceType, r.ResourceName = "document", collection+"/"+text
	}
	return r
}

// resourceError says what a read failed on. Its text is the error's own.
type resourceError struct {
	collection string
	id         value.Value // Null for the collection itself
	index      string      // empty for none
	err        error
}

func ofDocument(collection string, id value.Value, err error) error {
	if err == nil {
		return nil
	}
	return &resourceError{collection: collection, id: id, err: err}
}

func ofIndex(collection, index string, err error) error {
	if err == nil {
		return nil
	}
	return &resourceError{collection: collection, index: index, err: err}
}

func ofCollection(collection string, err error) error {
	return ofDocument(collection, value.Null(), err)
}

// resource names the index, or the collection, that the error is about, in info too.
func (e *resourceError) resource(info *errdetails.ErrorInfo) *errdetails.ResourceInfo {
	r := resource(info, e.collection, e.id, e.err)
	if !errors.Is(e.err, document.ErrCollectionNotFound) {
		info.Metadata["index"] = e.index
		r.ResourceType, r.ResourceName = "index", e.collection+"/"+e.index
	}
	return r
}

func (e *resourceError) Error() string { return e.err.Error() }

// Unwrap returns the reason.
func (e *resourceError) Unwrap() error { return e.err }

// fieldError says which field of a request is wrong.
type fieldError struct {
	field string
	err   error
}

// inField says that err is about a field; an error about a part of that field
// becomes one with the whole path.
func inField(field string, err error) error {
	if err == nil {
		return nil
	}
	if inner, ok := err.(*fieldError); ok { //nolint:errorlint // only an error made just before, not a wrapped one
		return &fieldError{field + "." + inner.field, inner.err}
	}
	return &fieldError{field, err}
}

func (e *fieldError) Error() string { return e.field + ": " + e.err.Error() }

// Unwrap returns what is wrong with the field.
func (e *fieldError) Unwrap() error { return e.err }
