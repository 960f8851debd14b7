package docclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// IndexOptions define an index.
type IndexOptions struct {
	Name   string     // by default the fields, as in "a,-b.c"
	Fields query.Sort // 1 to 8
	// Unique: no two documents have the same values of the fields, a missing one
	// being null.
	Unique bool
	// Sparse: documents that have none of the fields are left out.
	Sparse bool
	// Where: only documents that match this filter are in it; Null for all.
	Where value.Value
}

// IndexState is what has become of an index.
type IndexState uint8

// The states of an index.
const (
	IndexBuilding IndexState = iota + 1 // documents that were there before it are still being added
	IndexReady                          // complete
	IndexFailed                         // the documents contradict it
	IndexDropped                        // it has ended
)

// String returns the state's name.
func (s IndexState) String() string {
	switch s {
	case IndexBuilding:
		return "building"
	case IndexReady:
		return "ready"
	case IndexFailed:
		return "failed"
	case IndexDropped:
		return "dropped"
	default:
		return fmt.Sprintf("state %d", uint8(s))
	}
}

// Index describes an index as it is now. It is the server's word: definitions have
// no evidence, nor is it proved that a unique index was kept.
type Index struct {
	Collection string
	ID         uint32 // in its collection; never used twice
	Options    IndexOptions
	State      IndexState
	Failure    string // why it failed
	Author     string // who made or dropped it
	CreatedTx  uint64
	ChangedTx  uint64    // the transaction of this state
	ReadyTx    uint64    // the transaction from which it is complete; 0 if it never was
	Time       time.Time // of ChangedTx
	Documents  uint64    // looked at while it was built
}

// ErrIndexFailed means that the documents of a collection contradict an index. It
// is wrapped by an [IndexError].
var ErrIndexFailed = errors.New("docclient: index failed")

// IndexError says why an index failed.
type IndexError struct{ Index *Index }

// Error names the index and why, in one line.
func (e *IndexError) Error() string {
	return fmt.Sprintf("docclient: index %s of %s could not be built: %s",
		e.Index.Options.Name, e.Index.Collection, strings.ReplaceAll(e.Index.Failure, "\n", " ")) // it cannot begin a line of its own
}

// Unwrap returns [ErrIndexFailed].
func (e *IndexError) Unwrap() error { return ErrIndexFailed }

// CreateIndex defines an index. From then on the server keeps it; documents that
// were there before are added in the background, see [Client.WaitIndex].
func (c *Client) CreateIndex(ctx context.Context, collection string, o IndexOptions) (*Index, error) {
	what := "create an index of " + collection
	r := &documentschema.CreateIndexRequest{
		Collection: collection, Encoding: wireEncoding, Index: o.Name, Fields: sortFields(o.Fields), Unique: o.Unique, Sparse: o.Sparse,
	}
	if !o.Where.IsNull() {
		if _, err := filter.Parse(o.Where); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, what, err)
		}
		r.Filter = canon.Encode(o.Where)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.CreateIndex(ctx, r)
	if err != nil {
		return nil, callError(what, err)
	}
	return indexOf(collection, got.GetIndex())
}

// DropIndex ends an index. Its name is free again.
func (c *Client) DropIndex(ctx context.Context, collection, name string) (*Index, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.DropIndex(ctx, &documentschema.DropIndexRequest{Collection: collection, Index: name, Encoding: wireEncoding})
	if err != nil {
		return nil, callError("drop index "+name+" of "+collection, err)
	}
	return indexOf(collection, got.GetIndex())
}

// Indexes lists the indexes of a collection, oldest first. Those that failed are
// among them.
func (c *Client) Indexes(ctx context.Context, collection string) ([]*Index, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.ListIndexes(ctx, &documentschema.ListIndexesRequest{Collection: collection, Encoding: wireEncoding})
	if err != nil {
		return nil, callError("indexes of "+collection, err)
	}
	out := make([]*Index, len(got.GetIndexes()))
	for i, m := range got.GetIndexes() {
		if out[i], err = indexOf(collection, m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Index describes one index.
func (c *Client) Index(ctx context.Context, collection, name string) (*Index, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.GetIndex(ctx, &documentschema.GetIndexRequest{Collection: collection, Index: name, Encoding: wireEncoding})
	if err != nil {
		return nil, callError("index "+name+" of "+collection, err)
	}
	return indexOf(collection, got.GetIndex())
}

// How long [Client.WaitIndex] pauses between two questions, at first and at most.
const (
	firstIndexPause = 10 * time.Millisecond
	maxIndexPause   = time.Second
)

// WaitIndex asks for an index until it is no longer being built, and returns what
// it has become. One that failed is an [IndexError]. progress, which may be nil, is
// called with each answer, from the calling goroutine.
func (c *Client) WaitIndex(ctx context.Context, collection, name string, progress func(*Index)) (*Index, error) {
	for pause := firstIndexPause; ; pause = min(2*pause, maxIndexPause) {
		ix, err := c.Index(ctx, collection, name)
		if err != nil {
			return nil, err
		}
		if progress != nil {
			progress(ix)
		}
		switch ix.State {
		case IndexBuilding:
		case IndexFailed:
			return ix, &IndexError{Index: ix}
		default:
			return ix, nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ix, ctx.Err()
		}
	}
}

// indexOf reads a description. Paths and filters that this client cannot read make
// an error: the server is another version, or lies.
func indexOf(collection string, in *documentschema.Index) (*Index, error) {
	ix := &Index{
		Collection: collection, ID: in.GetId(), State: IndexState(in.GetState()), Failure: in.GetFailure(), Author: in.GetAuthor(),
		CreatedTx: in.GetCreatedTransaction(), ChangedTx: in.GetTransaction(), ReadyTx: in.GetReadyTransaction(),
		Time: in.GetTime().AsTime(), Documents: in.GetDocuments(),
		Options: IndexOptions{Name: in.GetName(), Unique: in.GetUnique(), Sparse: in.GetSparse(), Where: value.Null()},
	}
	if s := in.GetState(); s < documentschema.IndexState_INDEX_STATE_BUILDING || s > documentschema.IndexState_INDEX_STATE_DROPPED {
		return nil, fmt.Errorf("docclient: index %s of %s: the server says an unknown state, %d", in.GetName(), collection, s)
	}
	for _, f := range in.GetFields() {
		if err := ix.Options.Fields.Add(f.GetPath(), f.GetDescending()); err != nil {
			return nil, fmt.Errorf("docclient: index %s of %s, as the server says it: %w", in.GetName(), collection, err)
		}
	}
	if len(in.GetFilter()) > 0 {
		var err error
		if ix.Options.Where, err = canon.Decode(in.GetFilter()); err != nil {
			return nil, fmt.Errorf("docclient: filter of index %s of %s, as the server says it: %w", in.GetName(), collection, err)
		}
	}
	return ix, nil
}
