package e2e

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// proved is evidence that a server made, with the question it answers.
type proved struct {
	evidence *proof.Evidence
	expect   proof.Expect
	anchor   proof.TrustedState
}

// prove asks for evidence and returns it with what a careful verifier expects.
func prove(t testing.TB, c *docclient.Client, collection string, id value.Value, claim docclient.Claim) proved {
	t.Helper()
	evidence, v, err := c.Prove(timeout(t), collection, id, claim)
	require.NoError(t, err)
	p := proved{
		evidence: evidence,
		expect: proof.Expect{
			Database: c.Database(), Collection: collection, ID: id, Revision: v.Revision, Operation: v.Operation,
			WholeDocument: len(claim.Properties)+len(claim.Absent) == 0, Properties: claim.Properties, Absent: claim.Absent,
		},
		anchor: proof.TrustedState{Database: c.Database(), State: evidence.Transaction.AnchorState()},
	}
	_, err = p.evidence.Verify(p.expect, p.anchor)
	require.NoError(t, err)
	return p
}

// file is the evidence file.
func (p proved) file(t testing.TB) []byte {
	t.Helper()
	b, err := p.evidence.Marshal()
	require.NoError(t, err)
	return b
}

// requireRefused checks that the evidence fails the given check under another
// expectation or anchor.
func (p proved) requireRefused(t testing.TB, check string, change func(*proved)) {
	t.Helper()
	change(&p)
	_, err := p.evidence.Verify(p.expect, p.anchor)
	var failed *proof.CheckError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, check, failed.Check, "%v", err)
}

// Every bit of a proof counts: with any one flipped, in a binary section or in
// the evidence file, it is refused.
func TestEveryBitOfAProofCounts(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.connect()
	ctx := timeout(t)
	createCollection(t, c, "orders")
	insertOrders(t, c, "orders", 0, 60, 20)
	document := json(t, `{"_id":"x","a":{"b":[1,2,{"c":"deep"}],"d":true},"n":18446744073709551615,"z":"last"}`)
	_, err := c.Insert(ctx, "orders", docclient.Op{Document: document}, docclient.Op{Document: order(60)}, docclient.Op{Document: order(61)})
	require.NoError(t, err)
	_, err = c.Delete(ctx, "orders", docclient.Op{ID: orderID(60)})
	require.NoError(t, err)
	insertOrders(t, c, "orders", 70, 80, 5)

	x := value.String("x")
	for name, p := range map[string]proved{
		"whole":     prove(t, c, "orders", x, docclient.Claim{}),
		"property":  prove(t, c, "orders", x, docclient.Claim{Properties: []string{"/n"}}),
		"parts":     prove(t, c, "orders", x, docclient.Claim{Properties: []string{"/a/b/2", "/z"}, Absent: []string{"/a/c"}}),
		"absence":   prove(t, c, "orders", x, docclient.Claim{Absent: []string{"/m"}}),
		"tombstone": prove(t, c, "orders", orderID(60), docclient.Claim{At: docclient.Moment{Revision: 2}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx, doc := p.evidence.Transaction.Marshal(), p.evidence.Document.Marshal()
			flips := requireFlipsRefused(t, tx, func(b []byte) error {
				tp, err := proof.ParseTransactionProof(b)
				if err != nil {
					return err
				}
				_, err = proof.VerifyTransaction(tp, p.anchor.State)
				return err
			})
			verified, err := proof.VerifyTransaction(&p.evidence.Transaction, p.anchor.State)
			require.NoError(t, err)
			flips += requireFlipsRefused(t, doc, func(b []byte) error {
				dp, err := proof.ParseDocumentProof(b)
				if err != nil {
					return err
				}
				_, err = proof.VerifyDocument(dp, verified, p.expect)
				return err
			})
			flips += requireFlipsRefused(t, p.file(t), func(b []byte) error {
				e, err := proof.Parse(b)
				if err != nil {
					return err
				}
				_, err = e.Verify(p.expect, p.anchor)
				return err
			})
			t.Logf("%d flipped bits refused", flips)
		})
	}
}

// requireFlipsRefused checks that verify refuses b with any one bit flipped, and
// returns how many bits it has.
func requireFlipsRefused(t *testing.T, b []byte, verify func([]byte) error) int {
	t.Helper()
	require.NoError(t, verify(b))
	var next atomic.Int64
	var workers sync.WaitGroup
	accepted := make(chan int, runtime.NumCPU())
	for range cap(accepted) {
		mine := slices.Clone(b)
		workers.Go(func() {
			for bit := int(next.Add(1) - 1); bit < 8*len(mine); bit = int(next.Add(1) - 1) {
				mine[bit/8] ^= 1 << (bit % 8)
				if verify(mine) == nil {
					accepted <- bit
					return
				}
				mine[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
	workers.Wait()
	close(accepted)
	for bit := range accepted {
		require.Fail(t, "accepted", "bit %d of byte %d of %d flipped", bit%8, bit/8, len(b))
	}
	return 8 * len(b)
}

// A proof is worth nothing for another database, collection, id, revision,
// operation or path than it was made for.
func TestProofsOfSomethingElse(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a := s.connect()
	createDatabase(t, s, "other", nil)
	b := s.connectAs(as(t, "other"))
	ctx := timeout(t)
	for _, c := range []*docclient.Client{a, b} { // the same in both
		for _, collection := range []string{"first", "second"} {
			createCollection(t, c, collection)
			_, err := c.Insert(ctx, collection, docclient.Op{Document: json(t, `{"_id":"x","m":1,"n":1}`)}, docclient.Op{Document: json(t, `{"_id":"y","m":1,"n":1}`)})
			require.NoError(t, err)
			_, err = c.Update(ctx, collection, docclient.Op{ID: value.String("x"), Patch: json(t, `{"o":1}`)})
			require.NoError(t, err)
		}
	}
	x, y := value.String("x"), value.String("y")
	p := prove(t, a, "first", x, docclient.Claim{At: docclient.Moment{Revision: 1}, Properties: []string{"/n"}})
	whole := prove(t, a, "first", x, docclient.Claim{})
	absent := prove(t, a, "first", y, docclient.Claim{Absent: []string{"/o"}})
	elsewhere := prove(t, b, "first", x, docclient.Claim{At: docclient.Moment{Revision: 1}, Properties: []string{"/n"}})

	p.requireRefused(t, proof.CheckCollection, func(p *proved) { p.expect.Collection = "second" })
	p.requireRefused(t, proof.CheckCollectionID, func(p *proved) { p.expect.CollectionID = 9 })
	p.requireRefused(t, proof.CheckID, func(p *proved) { p.expect.ID = y })
	p.requireRefused(t, proof.CheckRevision, func(p *proved) { p.expect.Revision = 2 })
	p.requireRefused(t, proof.CheckOperation, func(p *proved) { p.expect.Operation = proof.Update })
	p.requireRefused(t, proof.CheckDisclosure, func(p *proved) { p.expect.Properties = []string{"/m"} })
	p.requireRefused(t, proof.CheckDisclosure, func(p *proved) { p.expect.Properties = []string{"/n", "/m"} })
	p.requireRefused(t, proof.CheckDisclosure, func(p *proved) { p.expect.WholeDocument, p.expect.Properties = true, nil })
	whole.requireRefused(t, proof.CheckDisclosure, func(p *proved) { p.expect.WholeDocument, p.expect.Properties = false, []string{"/n"} })
	absent.requireRefused(t, proof.CheckDisclosure, func(p *proved) { p.expect.Absent = []string{"/n"} })
	absent.requireRefused(t, proof.CheckID, func(p *proved) { p.expect.ID = x }) // which has it by now

	// Another database: by what is expected, by the anchor's name, by the anchor.
	p.requireRefused(t, proof.CheckDatabase, func(p *proved) { p.expect.Database = "other" })
	p.requireRefused(t, proof.CheckDatabase, func(p *proved) { p.anchor.Database = "other" })
	p.requireRefused(t, proof.CheckDatabase, func(p *proved) { p.expect.Database, p.anchor.Database = "other", "other" })
	p.requireRefused(t, proof.CheckAnchor, func(p *proved) { p.anchor.State.Alh = elsewhere.anchor.State.Alh })
	p.requireRefused(t, proof.CheckAnchor, func(p *proved) { p.evidence = retold(p.evidence, elsewhere.evidence.Transaction, p.evidence.Document) })
	elsewhere.requireRefused(t, proof.CheckAnchor, func(p *proved) {
		renamed := *p.evidence
		renamed.Database, p.expect.Database, p.anchor = database, database, whole.anchor
		p.evidence = &renamed
	})
	// Parts of different proofs.
	p.requireRefused(t, proof.CheckEntryInclusion, func(p *proved) { p.evidence = retold(p.evidence, whole.evidence.Transaction, p.evidence.Document) })
	p.requireRefused(t, proof.CheckSlot, func(p *proved) {
		document := p.evidence.Document
		document.Manifest.Collection = "second"
		p.evidence, p.expect.Collection = retold(p.evidence, p.evidence.Transaction, document), "second"
	})

	// The same through the command, with the files.
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "p.immudoc.json"), p.file(t))
	writeState(t, filepath.Join(dir, "state.json"), p.anchor)
	renamed := p.anchor
	renamed.Database = "other"
	writeState(t, filepath.Join(dir, "other.json"), renamed)
	verify := func(args ...string) result {
		return s.immuclient(dir, slices.Concat([]string{"doc", "verify", "p.immudoc.json"}, args)...)
	}
	require.Zero(t, verify("--state", "state.json", "--collection", "first", "--id", "x", "--revision", "1", "--property", "/n").code)
	require.Equal(t, 3, verify().code, "consistent, but unanchored")
	for check, args := range map[string][]string{
		proof.CheckCollection: {"--state", "state.json", "--collection", "second"},
		proof.CheckID:         {"--state", "state.json", "--id", "y"},
		proof.CheckRevision:   {"--state", "state.json", "--revision", "2"},
		proof.CheckOperation:  {"--state", "state.json", "--operation", "delete"},
		proof.CheckDisclosure: {"--state", "state.json", "--property", "/m"},
		proof.CheckDatabase:   {"--state", "other.json"},
	} {
		r := verify(args...)
		require.Equal(t, 2, r.code, "%s: %s", check, r.stdout)
		require.Contains(t, r.stderr, check)
		require.Empty(t, r.stdout)
	}
}

// retold is evidence put together from parts.
func retold(e *proof.Evidence, tx proof.TransactionProof, document proof.DocumentProof) *proof.Evidence {
	return &proof.Evidence{Database: e.Database, Transaction: tx, Document: document}
}

// A proof of a revision that was deleted says that it is a tombstone, and is
// nothing else.
func TestProofOfADeletion(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.connect()
	ctx := timeout(t)
	createCollection(t, c, "orders")
	insertOrders(t, c, "orders", 0, 3, 3)
	_, err := c.Delete(ctx, "orders", docclient.Op{ID: orderID(1)})
	require.NoError(t, err)

	deleted := prove(t, c, "orders", orderID(1), docclient.Claim{At: docclient.Moment{Revision: 2}})
	v, err := deleted.evidence.Verify(deleted.expect, deleted.anchor)
	require.NoError(t, err)
	require.True(t, v.Tombstone)
	require.Nil(t, v.Document)
	require.Equal(t, proof.Delete, v.Operation)
	deleted.requireRefused(t, proof.CheckRevision, func(p *proved) { p.expect.Revision = 1 })
	deleted.requireRefused(t, proof.CheckOperation, func(p *proved) { p.expect.Operation = proof.Insert })
	// Asked for the newest, it is the deletion too, and never the document.
	newest := prove(t, c, "orders", orderID(1), docclient.Claim{})
	require.Equal(t, proof.Delete, newest.expect.Operation)
	for _, claim := range []docclient.Claim{{Properties: []string{"/number"}}, {Absent: []string{"/nothing"}}} {
		_, _, err = c.Prove(ctx, "orders", orderID(1), claim)
		requireReason(t, err, codes.InvalidArgument, "INVALID_PROOF_REQUEST")
	}
	// The revision before it is still proved, and says nothing of the deletion.
	before := prove(t, c, "orders", orderID(1), docclient.Claim{At: docclient.Moment{Revision: 1}})
	require.Equal(t, proof.Insert, before.expect.Operation)

	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "deleted.immudoc.json"), deleted.file(t))
	writeState(t, filepath.Join(dir, "state.json"), deleted.anchor)
	out := s.must(dir, "doc", "verify", "deleted.immudoc.json", "--state", "state.json")
	require.Contains(t, out, "this revision deleted the document")
}

const (
	defaultMaxEntries = 1024 // entries in a transaction, unless a database says otherwise
	maxEvidenceFile   = 4096 // bytes, for a property in a transaction of 1,000 documents
)

// The evidence of a property stays small in the largest transactions.
func TestEvidenceFileSize(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	createDatabase(t, s, "large", &schema.DatabaseNullableSettings{MaxTxEntries: &schema.NullableUint32{Value: 4 * defaultMaxEntries}})
	for _, test := range []struct {
		database  string
		documents int
	}{
		{database, 963}, // all that fits: every 16 documents take an entry more
		{"large", 1000},
		{"large", 3000},
	} {
		c := s.connectAs(as(t, test.database))
		name := fmt.Sprint("orders", test.documents)
		createCollection(t, c, name)
		inserted, err := c.Insert(timeout(t), name, orders(0, test.documents)...)
		require.NoError(t, err)
		require.Equal(t, inserted[0].Tx, inserted[test.documents-1].Tx)
		insertOrders(t, c, name, 5000, 5040, 1) // a longer ledger, and longer proofs
		largest := 0
		for i := 0; i < test.documents; i += 97 {
			p := prove(t, c, name, orderID(i), docclient.Claim{Properties: []string{"/customer/number"}})
			require.Equal(t, inserted[i].Tx, p.evidence.Transaction.Header.ID)
			largest = max(largest, len(p.file(t)))
		}
		t.Logf("transaction of %d documents: evidence file of a property has at most %d bytes", test.documents, largest)
		if test.documents <= 1000 {
			require.LessOrEqual(t, largest, maxEvidenceFile)
		}
	}

	c := s.connect()
	createCollection(t, c, "full")
	_, err := c.Insert(timeout(t), "full", orders(0, 964)...)
	requireReason(t, err, codes.InvalidArgument, "TOO_LARGE", "964 documents", "963")
	requireCount(t, c, "full", 0)
}

// createDatabase makes a database.
func createDatabase(t testing.TB, s *server, name string, settings *schema.DatabaseNullableSettings) {
	t.Helper()
	_, err := s.stockClient(as(t, database)).CreateDatabaseV2(timeout(t), name, settings)
	require.NoError(t, err)
}

// writeState writes a state that `doc verify` can trust.
func writeState(t testing.TB, name string, state proof.TrustedState) {
	t.Helper()
	writeFile(t, name, fmt.Appendf(nil, `{"database":%q,"txId":%d,"txHash":"%x"}`, state.Database, state.State.TxID, state.State.Alh))
}
