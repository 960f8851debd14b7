package e2e

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

const (
	proofDocuments = 10_000
	offlineEvery   = 20 // one in so many proofs goes through the evidence file
)

// Of each document of a sample the whole, each top-level property and the
// absence of a property are proved and verified under one trusted state.
func TestProofsOfASample(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.connect()
	createCollection(t, c, "orders")
	insertOrders(t, c, "orders", 0, proofDocuments, 900)
	trusted, err := c.State(timeout(t))
	require.NoError(t, err)

	started := time.Now()
	var next, proofs atomic.Int64
	var workers sync.WaitGroup
	failures := make(chan error, runtime.NumCPU())
	for range cap(failures) {
		p := &sampler{c: s.connect(), trusted: trusted}
		workers.Go(func() {
			ctx := timeout(t)
			for i := next.Add(1) - 1; i < proofDocuments; i = next.Add(1) - 1 {
				if err := p.document(ctx, order(int(i))); err != nil {
					failures <- err
					return
				}
			}
			proofs.Add(p.made)
		})
	}
	workers.Wait()
	close(failures)
	require.NoError(t, <-failures)
	t.Logf("%d documents, %d proofs verified, %.0f a second", proofDocuments, proofs.Load(), float64(proofs.Load())/time.Since(started).Seconds())
}

// sampler asks for proofs and verifies them without the help of the client.
type sampler struct {
	c       *docclient.Client
	trusted proof.State
	made    int64

	section string // the transaction section seen last
	tx      *proof.VerifiedTx
}

// document checks all proofs of one document.
func (p *sampler) document(ctx context.Context, doc value.Value) error {
	id, _ := doc.Get("_id")
	expect := proof.Expect{Database: database, Collection: "orders", ID: id, Revision: 1, Operation: proof.Insert}
	whole := expect
	whole.WholeDocument = true
	v, err := p.verified(ctx, whole)
	if err != nil {
		return err
	}
	if !value.Equal(*v.Document, doc) {
		return errors.New("proved " + text(*v.Document) + " of " + text(doc))
	}
	for key, member := range doc.Members() {
		if key == "_id" {
			continue
		}
		property := expect
		property.Properties = []string{pointer(key)}
		v, err := p.verified(ctx, property)
		if err != nil {
			return err
		}
		if len(v.Properties) != 1 || !value.Equal(v.Properties[0].Value, member) || v.Document != nil {
			return errors.New("proved another " + key + " of " + text(doc))
		}
	}
	absent := expect
	absent.Absent = []string{"/customer/" + words[p.made%10]}
	v, err = p.verified(ctx, absent)
	if err == nil && len(v.Absent) != 1 {
		err = errors.New("no absence shown of " + text(doc))
	}
	return err
}

// verified asks for what is expected and verifies it, now and then through the
// file form.
func (p *sampler) verified(ctx context.Context, expect proof.Expect) (*proof.Verified, error) {
	p.made++
	answer, err := documentschema.NewDocumentServiceClient(p.c.Conn()).Prove(ctx, &documentschema.ProveRequest{
		Collection: expect.Collection, Encoding: documentschema.Encoding_ENCODING_CBOR, Id: canon.Encode(expect.ID),
		WholeDocument: expect.WholeDocument, Properties: expect.Properties, Absent: expect.Absent,
	})
	if err != nil {
		return nil, err
	}
	dp, err := proof.ParseDocumentProof(answer.Proof.Document)
	if err != nil {
		return nil, err
	}
	if string(answer.Proof.Transaction) != p.section {
		tp, err := proof.ParseTransactionProof(answer.Proof.Transaction)
		if err != nil {
			return nil, err
		}
		if p.tx, err = proof.VerifyTransaction(tp, p.trusted); err != nil {
			return nil, err
		}
		p.section = string(answer.Proof.Transaction)
	}
	if p.made%offlineEvery != 0 {
		return proof.VerifyDocument(dp, p.tx, expect)
	}
	tp, err := proof.ParseTransactionProof(answer.Proof.Transaction)
	if err != nil {
		return nil, err
	}
	evidence := &proof.Evidence{Database: database, Transaction: *tp, Document: *dp}
	file, err := evidence.Marshal()
	if err != nil {
		return nil, err
	}
	if evidence, err = proof.Parse(file); err != nil {
		return nil, err
	}
	return evidence.Verify(expect, proof.TrustedState{Database: database, State: p.trusted})
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer is the JSON Pointer of a top-level property.
func pointer(key string) string { return "/" + pointerEscapes.Replace(key) }
