package docclient

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

var (
	// ErrVerification is wrapped by every error that says that an answer of the
	// server does not prove what was asked. The cause is a *[proof.CheckError]
	// where a check of package proof failed.
	ErrVerification = errors.New("docclient: verification failed")

	// ErrFork is an [ErrVerification]: the server has shown two histories of the
	// same database, which both start with what was trusted.
	ErrFork = fmt.Errorf("%w: the server shows two different histories of the database", ErrVerification)

	// ErrServerBehind means that the server's newest transaction is older than
	// the trusted state, as on a replica that lags, or after the server was put
	// back to an old copy of its data.
	ErrServerBehind = errors.New("docclient: the server is behind the trusted state")

	// ErrMaybeWritten is wrapped by the errors of writes that the server has answered,
	// or may have: the answer was refused, or what it proves could not be kept. Read
	// before you repeat the write.
	ErrMaybeWritten = errors.New("the write may have been made all the same: read before you repeat it")

	// ErrUnproved means that a list has no evidence to give: it was not verified, or
	// has not begun.
	ErrUnproved = errors.New("docclient: the list carries no proofs")

	// ErrTruncated means that the ledger does not hold the content of a document any
	// more that an aggregation is about.
	ErrTruncated = errors.New("docclient: content truncated from the ledger")

	// ErrClosed is returned by a client and by a pool that was closed.
	ErrClosed = errors.New("docclient: closed")

	// ErrInvalid means that the request was not sent because it cannot be right.
	ErrInvalid = errors.New("docclient: invalid request")
)

// Of pkg/server/docserver: whose reasons they are, that of a request that trusts
// more than the server has, and that of one about a collection that does not exist.
const (
	reasonDomain       = "immudoc"
	reasonAhead        = "AHEAD_OF_LEDGER"
	reasonNoCollection = "COLLECTION_NOT_FOUND"
)

// Reason returns the word by which the document service names the reason of an
// error, such as DOCUMENT_NOT_FOUND or REVISION_CONFLICT; empty for other errors.
func Reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == reasonDomain {
			return info.GetReason()
		}
	}
	return ""
}

// refused makes an error of a failed check an ErrVerification. what names the
// request.
func refused(what string, err error) error {
	if err == nil || errors.Is(err, ErrVerification) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrVerification, what, err)
}

// refusedf is refused with a check of this package's own.
func refusedf(what, check, format string, args ...any) error {
	return refused(what, &proof.CheckError{Check: check, Detail: fmt.Sprintf(format, args...)})
}

// Messages by which immudb tells that it does not know the session of a call
// (pkg/server and pkg/server/sessions, ErrSessionNotFound). Their gRPC codes are
// shared with other errors.
const (
	messageNoSession    = "no session found"
	messageSessionStale = "session not found"
)

// sessionLost reports whether err shows that no further call on the session can
// succeed: the server does not know it, or is not there.
func sessionLost(err error) bool {
	if err == nil {
		return false
	}
	st, ok := status.FromError(err)
	if !ok {
		return false
	}
	switch st.Code() {
	case codes.Unauthenticated, codes.Unavailable:
		return true
	case codes.OK, codes.NotFound:
		return false
	default:
		return st.Message() == messageNoSession || st.Message() == messageSessionStale
	}
}

// CallError is what the server, or the connection to it, answered a request with.
// Its gRPC status (google.golang.org/grpc/status) is that of Err.
type CallError struct {
	Request string // what was asked for
	Err     error
}

// Error tells the reason without the status code. The document service names
// what its reasons are about; other errors are given the name of the request.
func (e *CallError) Error() string {
	message := status.Convert(e.Err).Message()
	if status.Code(e.Err) == codes.ResourceExhausted && strings.Contains(message, "larger than max") {
		message += "; a document has at most 16 MiB, and a request no more than the receiver's --max-recv-msg-size: send fewer documents at a time"
	}
	if status.Code(e.Err) == codes.Unimplemented {
		message += "; the server is an immudb without documents, they take the immudb of immudoc"
	}
	message = strings.ReplaceAll(message, "\n", " ") // it cannot begin a line of its own
	if Reason(e.Err) != "" {
		return "docclient: " + message
	}
	return "docclient: " + e.Request + ": " + message
}

// Unwrap returns the error of the call.
func (e *CallError) Unwrap() error { return e.Err }

// Is reports whether the server's reason is the one that target stands for.
func (e *CallError) Is(target error) bool {
	return target == ErrServerBehind && Reason(e.Err) == reasonAhead
}

// GRPCStatus returns the status of the call.
func (e *CallError) GRPCStatus() *status.Status { return status.Convert(e.Err) }

func callError(what string, err error) error { return &CallError{Request: what, Err: err} }
