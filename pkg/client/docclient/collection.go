package docclient

import (
	"context"
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// CollectionOptions are chosen when a collection is created.
type CollectionOptions struct {
	// Evidence says how finely documents can be proved: ptree.ModeProperty, the
	// default, or ptree.ModeDocument, which ingests fastest.
	Evidence ptree.Mode
	// AppendOnly collections take inserts and nothing else.
	AppendOnly bool
	// Compress stores longer documents compressed. Evidence is the same.
	Compress bool
	// Rules that every revision keeps. They can be altered later, as AppendOnly can.
	Rules Rules
}

// Collection describes a collection as it was at some moment. It is the server's
// word: definitions have no evidence, the manifests of documents name their
// collection themselves.
type Collection struct {
	ID        uint32 // never used twice in a database
	Name      string
	Options   CollectionOptions
	Dropped   bool
	Author    string // who created it, altered its rules or dropped it
	CreatedTx uint64
	ChangedTx uint64    // the transaction of this state
	Time      time.Time // of ChangedTx
}

// CreateCollection makes an empty collection.
func (c *Client) CreateCollection(ctx context.Context, name string, o CollectionOptions) (*Collection, error) {
	options := &documentschema.CollectionOptions{AppendOnly: o.AppendOnly, Compress: o.Compress}
	switch o.Evidence {
	case ptree.ModeProperty:
		options.Evidence = documentschema.EvidenceMode_EVIDENCE_MODE_PROPERTY
	case ptree.ModeDocument:
		options.Evidence = documentschema.EvidenceMode_EVIDENCE_MODE_DOCUMENT
	default:
		return nil, fmt.Errorf("%w: evidence mode %d", ErrInvalid, o.Evidence)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.CreateCollection(ctx, &documentschema.CreateCollectionRequest{Collection: name, Options: options, Rules: o.Rules.proto()})
	if err != nil {
		return nil, callError("create collection "+name, err)
	}
	return collectionOf(got.GetCollection())
}

// Collection describes a collection as it was at a moment without Revision.
func (c *Client) Collection(ctx context.Context, name string, at Moment) (*Collection, error) {
	moment, err := at.proto()
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.GetCollection(ctx, &documentschema.GetCollectionRequest{Collection: name, At: moment})
	if err != nil {
		return nil, callError("collection "+name, err)
	}
	return collectionOf(got.GetCollection())
}

// Collections lists the collections that exist at a moment without Revision, by
// name.
func (c *Client) Collections(ctx context.Context, at Moment) ([]*Collection, error) {
	moment, err := at.proto()
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.ListCollections(ctx, &documentschema.ListCollectionsRequest{At: moment})
	if err != nil {
		return nil, callError("collections of "+c.database, err)
	}
	return collectionsOf(got.GetCollections())
}

// CollectionHistory lists every state of every collection that had the name,
// oldest first.
func (c *Client) CollectionHistory(ctx context.Context, name string) ([]*Collection, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.GetCollectionHistory(ctx, &documentschema.GetCollectionHistoryRequest{Collection: name})
	if err != nil {
		return nil, callError("history of collection "+name, err)
	}
	return collectionsOf(got.GetCollections())
}

// DropCollection ends a collection. Its past stays readable and provable.
func (c *Client) DropCollection(ctx context.Context, name string) (*Collection, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	got, err := c.service.DropCollection(ctx, &documentschema.DropCollectionRequest{Collection: name})
	if err != nil {
		return nil, callError("drop collection "+name, err)
	}
	return collectionOf(got.GetCollection())
}

func collectionsOf(in []*documentschema.Collection) ([]*Collection, error) {
	out := make([]*Collection, len(in))
	for i := range in {
		var err error
		if out[i], err = collectionOf(in[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func collectionOf(in *documentschema.Collection) (*Collection, error) {
	c := &Collection{
		ID: in.GetId(), Name: in.GetName(), Dropped: in.GetDropped(), Author: in.GetAuthor(),
		CreatedTx: in.GetCreatedTransaction(), ChangedTx: in.GetTransaction(), Time: in.GetTime().AsTime(),
		Options: CollectionOptions{AppendOnly: in.GetOptions().GetAppendOnly(), Compress: in.GetOptions().GetCompress()},
	}
	if in.GetOptions().GetEvidence() == documentschema.EvidenceMode_EVIDENCE_MODE_DOCUMENT {
		c.Options.Evidence = ptree.ModeDocument
	}
	var err error
	if c.Options.Rules, err = rulesOf(in.GetRules()); err != nil {
		return nil, fmt.Errorf("docclient: collection %s: %w", c.Name, err)
	}
	return c, nil
}
