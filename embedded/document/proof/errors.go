package proof

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed is wrapped by every error of a parser of this package: the
	// input is not in the one accepted form.
	ErrMalformed = errors.New("proof: malformed")

	// ErrUnanchored is returned, together with a complete [Verified], when a
	// proof is consistent in itself but nothing the caller trusts vouches for
	// the ledger it comes from. Such a proof shows nothing by itself: anybody
	// can make one.
	ErrUnanchored = errors.New("proof: consistent, but unanchored: no trusted state was given")

	// ErrStaleReceipt means that the proof offered as the receipt of a write
	// belongs to a transaction that is not newer than the state the caller
	// trusted when it sent the write.
	ErrStaleReceipt = errors.New("proof: stale receipt: the transaction is not newer than the trusted state sent with the write")

	// ErrPropertyNotFound means that a presence proof was asked for a property
	// that the revision does not have.
	ErrPropertyNotFound = errors.New("proof: no such property")

	// ErrPropertyExists means that an absence proof was asked for a property
	// that the revision has.
	ErrPropertyExists = errors.New("proof: the property exists")

	// ErrRequest means that a proof of this shape cannot be made: for example
	// properties of a tombstone or of a document with document-level evidence,
	// two properties one inside the other, or a pointer to _id.
	ErrRequest = errors.New("proof: no such proof can be made")

	// ErrCorrupted means that stored facts contradict each other, so that a
	// proof made of them would not verify.
	ErrCorrupted = errors.New("proof: stored facts contradict each other")
)

// The checks of a verification, in the order in which they are made. They are
// the values of [CheckError].Check.
const (
	CheckFile           = "evidence file"         // strict parse of the file
	CheckSection        = "section"               // strict parse of a binary section
	CheckExpectation    = "expectation"           // what the caller asked for is not complete
	CheckAnchor         = "anchor"                // the trusted state or signature
	CheckHeader         = "transaction header"    // version and identity of the transaction
	CheckTxInclusion    = "transaction inclusion" // the transaction is in the ledger of the anchor
	CheckEntry          = "evidence entry"        // form of the evidence entry
	CheckEntryInclusion = "entry inclusion"       // the entry is in the transaction
	CheckManifest       = "manifest"              // strict parse of the manifest
	CheckSlot           = "manifest slot"         // the manifest is the slot's item of the entry
	CheckDatabase       = "claim: database"
	CheckCollection     = "claim: collection"
	CheckCollectionID   = "claim: collection id"
	CheckID             = "claim: id"
	CheckRevision       = "claim: revision"
	CheckOperation      = "claim: operation"
	CheckDisclosure     = "claim: disclosure" // what is disclosed is what was asked for
	CheckBody           = "document body"     // form of the disclosed document
	CheckAuthor         = "author"
	CheckProperty       = "property"      // form and place of a disclosed property
	CheckAbsence        = "absence"       // the leaves shown exclude the absent property
	CheckTree           = "property tree" // the leaves shown fit into one sorted tree
	CheckRoot           = "property root" // the leaves shown have the manifest's root
	CheckState          = "state"         // one trusted state is continued by another
	CheckReceipt        = "receipt"
	CheckHistory        = "history" // manifests are linked by their hashes
)

// CheckError says which check of a verification failed and why. A proof that
// gives one is refused as a whole.
type CheckError struct {
	Check  string // one of the Check constants
	Detail string // what was found and what was wanted
	Err    error  // the cause, may be nil
}

// Error names the check first.
func (e *CheckError) Error() string {
	msg := "proof refused: " + e.Check
	if e.Detail != "" {
		msg += ": " + e.Detail
	}
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap returns the cause.
func (e *CheckError) Unwrap() error { return e.Err }

func failf(check, format string, args ...any) error {
	return &CheckError{Check: check, Detail: fmt.Sprintf(format, args...)}
}

func failErr(check, detail string, err error) error {
	return &CheckError{Check: check, Detail: detail, Err: err}
}
