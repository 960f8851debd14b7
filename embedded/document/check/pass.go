package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/internal/access"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/sorter"
	"github.com/immudoc/immudoc/internal/view"
)

// ErrReplaced is returned by [Check.Part] when the database is not the one that the
// check began with.
var ErrReplaced = errors.New("the database was replaced while it was checked")

// pendingBytes is how much is handed to the sorter at a time.
const pendingBytes = 4 << 20

// phase is how far a check is.
type phase int

const (
	reading   phase = iota // the ledger, in its order
	sorting                // what it has of keys
	comparing              // keys with the index
	done
)

// Check is one check under way. It is for one goroutine.
type Check struct {
	maxProblems int
	memory      int
	progress    func(transaction uint64)
	names       []string
	from, at    uint64 // transactions

	begun  bool
	phase  phase
	report *Report
	final  *catalog.Catalog // as the engine has it
	only   map[uint32]bool  // collections to check; nil for all

	// Of the part under way.
	ctx   context.Context
	st    *store.ImmuStore
	view  *view.View
	pause time.Time

	// Of reading the ledger.
	next        uint64 // transaction
	holder      *store.Tx
	previous    *proof.Header // of the transaction before; nil at the first and after one that cannot be read
	log         frontier      // over all transactions so far
	logBroken   bool          // a transaction could not be read: the log's root is not known any more
	collections map[uint32]*collection
	indexes     map[uint32]map[uint32]*catalog.Index // by collection, then number
	states      map[uint32][]indexStates             // by collection, ascending
	unsure      map[*catalog.Index]bool              // of indexes: whether writes kept it cannot be told
	values      map[byte]*extent                     // by log of values
	pending     [][]byte                             // items for the sorter
	pendingSize int
	items       uint64

	// Of comparing keys.
	sorter   *sorter.Sorter
	compared uint64 // items
	head     *item  // the next one, nil at the end
	areas    []area
	group    *group
	unique   uniqueEntry
}

// New prepares a check. Close releases what it holds.
func New(options ...Option) *Check {
	c := &Check{
		maxProblems: DefaultMaxProblems, memory: DefaultMemory, from: 1,
		report:      &Report{},
		collections: map[uint32]*collection{},
		indexes:     map[uint32]map[uint32]*catalog.Index{},
		states:      map[uint32][]indexStates{},
		unsure:      map[*catalog.Index]bool{},
		values:      map[byte]*extent{},
	}
	for _, option := range options {
		option(c)
	}
	return c
}

// Close removes the temporary files.
func (c *Check) Close() error {
	if c.sorter == nil {
		return nil
	}
	return c.sorter.Close()
}

// Report is what was found so far.
func (c *Check) Report() *Report { return c.report }

// Done reports whether nothing is left to check.
func (c *Check) Done() bool { return c.phase == done }

// Progress is how far a check is.
type Progress struct {
	Transaction uint64 // the last one read
	Newest      uint64 // the last one to read
	Compared    uint64 // versions of keys that were compared with the index, after all transactions are read
	ToCompare   uint64 // how many there are; grows while transactions are read
}

// Progress tells how far the check is.
func (c *Check) Progress() Progress {
	return Progress{Transaction: max(1, c.next) - 1, Newest: c.at, Compared: c.compared, ToCompare: c.items}
}

// Part goes on with the check until about the time of pause, with the engine as it is
// open now: it may have been closed and opened again since the last part. After each part
// comes Settle, for which no engine is needed, until the check is Done. An error of
// the context, or that the engine is closing, leaves the check where it is: another part
// can go on. Any other error ends it.
func (c *Check) Part(ctx context.Context, e *document.Engine, pause time.Time) error {
	db, err := access.Of(ctx, e)
	if err != nil {
		return err
	}
	if !c.begun {
		if err := c.begin(ctx, e, db); err != nil {
			return err
		}
	} else if err := c.sameLedger(db.Store); err != nil {
		return err
	}
	if err := e.WaitFor(ctx, c.at); err != nil {
		return err
	}
	v, err := db.Source.Acquire(ctx)
	if err != nil {
		return err
	}
	defer v.Release()
	// A step is short, and done to its end.
	c.ctx, c.st, c.view, c.pause = context.WithoutCancel(ctx), db.Store, v, pause
	for first := true; c.phase != done && c.phase != sorting && c.pendingSize < pendingBytes; first = false {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-db.Closing:
			return document.ErrClosed
		default:
		}
		if !first && c.isPast() {
			return nil
		}
		if err := c.step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Check) isPast() bool { return time.Now().After(c.pause) }

func (c *Check) step() error {
	if c.phase == reading {
		return c.readNext()
	}
	return c.compareNext()
}

// begin fixes the state that is checked.
func (c *Check) begin(ctx context.Context, e *document.Engine, db access.Parts) error {
	at, state := c.at, proof.State{}
	state.TxID, state.Alh = db.Store.CommittedAlh()
	if at == 0 {
		at = state.TxID
	}
	if c.from > max(1, at) {
		return fmt.Errorf("%w: the first transaction to check, %d, is behind the last, %d", document.ErrInvalidOptions, c.from, at)
	}
	if err := e.WaitFor(ctx, at); err != nil {
		return err
	}
	if at != state.TxID {
		var err error
		if state.Alh, err = alhOf(db.Store, at); err != nil {
			return err
		}
		state.TxID = at
	}
	v, err := db.Source.Acquire(ctx)
	if err != nil {
		return err
	}
	defer v.Release()
	c.final = v.Extra().(*catalog.Catalog)
	if err := c.choose(at); err != nil {
		return err
	}
	c.at, c.begun, c.next = at, true, 1
	c.report.Database, c.report.State, c.report.From = e.Name(), state, c.from
	c.sorter = sorter.New(c.memory, 0, "")
	if c.from > 1 {
		c.takeForGranted(c.from - 1)
	}
	return nil
}

// choose finds the collections to check, and with them the keys.
func (c *Check) choose(at uint64) error {
	if len(c.names) == 0 {
		c.areas = []area{{prefix: []byte{keys.Prefix}}}
		return nil
	}
	c.only = map[uint32]bool{}
	for _, name := range c.names {
		coll, ok := c.final.ByName(name, at)
		if !ok {
			return fmt.Errorf("%w: %s at transaction %d", document.ErrCollectionNotFound, name, at)
		}
		c.only[coll.ID] = true
	}
	c.areas = []area{{prefix: keys.Catalog()}}
	for id := range c.only {
		c.areas = append(c.areas, area{prefix: keys.Documents(id)}, area{prefix: keys.Indexes(id)})
	}
	slices.SortFunc(c.areas, func(a, b area) int { return slices.Compare(a.prefix, b.prefix) })
	return nil
}

func (c *Check) chosen(collection uint32) bool { return c.only == nil || c.only[collection] }

// sameLedger reports whether a store still has the transaction that the check is as of.
func (c *Check) sameLedger(st *store.ImmuStore) error {
	if c.at == 0 {
		return nil
	}
	alh, err := alhOf(st, c.at)
	if err != nil || alh != c.report.State.Alh {
		return errors.Join(fmt.Errorf("%w: transaction %d is another one", ErrReplaced, c.at), err)
	}
	return nil
}

func alhOf(st *store.ImmuStore, tx uint64) (alh [32]byte, err error) {
	h, err := st.ReadTxHeader(tx, false, false)
	if err != nil {
		return alh, fmt.Errorf("reading transaction %d: %w", tx, err)
	}
	return h.Alh(), nil
}

// emit hands an item on to comparing keys.
func (c *Check) emit(it item) {
	b := it.encode()
	c.pending = append(c.pending, b)
	c.pendingSize += len(b)
	c.items++
}

// Settle sorts what the parts before have read, which may take longer than a database may be
// held for.
func (c *Check) Settle(ctx context.Context) error {
	if !c.begun {
		return nil
	}
	c.sorter.Until(ctx)
	for _, b := range c.pending {
		if err := c.sorter.Add(b); err != nil {
			return err
		}
	}
	c.pending, c.pendingSize = c.pending[:0], 0
	if c.phase != sorting {
		return nil
	}
	c.pending = nil
	if err := c.sorter.Finish(); err != nil {
		return err
	}
	c.phase = comparing
	return c.advance()
}

// advance takes the next item. Of several versions of a key in one transaction,
// which is a problem that was told already, one is taken.
func (c *Check) advance() error {
	last := c.head
	for {
		b, ok, err := c.sorter.Next()
		if err != nil {
			return err
		}
		if !ok {
			c.head = nil
			return nil
		}
		it, err := decodeItem(b)
		if err != nil {
			return err
		}
		c.compared++
		if last != nil && last.entry == nil && it.entry == nil && last.tx == it.tx && string(last.key) == string(it.key) {
			continue
		}
		c.head = &it
		return nil
	}
}

// finish says what the check did not cover.
func (c *Check) finish() {
	c.phase = done
	note := func(format string, args ...any) {
		c.report.Unchecked = append(c.report.Unchecked, fmt.Sprintf(format, args...))
	}
	if c.report.Lost > 0 {
		note("%d values up to transaction %d are no longer held: what they were, and what followed from them", c.report.Lost, c.report.Truncated)
	}
	if c.from > 1 {
		note("the content of transactions before %d, and in the index the keys that no transaction from there on wrote", c.from)
	}
	if c.only != nil {
		note("documents and indexes of other collections than those asked for")
	}
	for _, id := range c.final.IDs() {
		for _, ix := range c.final.Indexes(id) {
			if known := c.indexes[id][ix.ID]; known != nil && known.State == catalog.Building && c.chosen(id) && c.exists(id) {
				note("whether index %s of %s is complete: it was being built", ix.Name, c.collections[id].name)
			}
		}
	}
}

// exists reports whether a collection was there at the end.
func (c *Check) exists(id uint32) bool {
	coll := c.collections[id]
	return coll != nil && coll.droppedTx == 0
}
