package check

import (
	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/rules"
)

// collection is what is known of a collection after the transactions read so far.
type collection struct {
	name       string
	mode       ptree.Mode
	appendOnly bool
	compress   bool
	rules      *rules.Rules
	altered    bool // the rules are not those it was created with
	author     string
	changedTx  uint64
	droppedTx  uint64 // 0 if it exists
	unknown    bool   // a definition was truncated; this is what the engine says
	// unsure: a definition was truncated that may have altered the rules; then
	// appendOnly and rules are none.
	unsure bool
}

// readDefinitions reads a transaction that changes collections: the format
// version, if it is there, and definitions.
func (c *Check) readDefinitions(tx uint64, entries []*store.TxEntry) error {
	for i, e := range entries {
		kind := kindOf(e.Key())
		if kind != formatEntry && kind != definitionEntry && kind != indexDefinitionEntry {
			continue
		}
		if md := metadata(e); len(md) > 0 {
			c.problem(Layout, tx, "key %x has metadata %x", e.Key(), md)
		}
		b, held, err := c.value(tx, e)
		if err != nil {
			return err
		}
		c.note(tx, e, b, held)
		if kind == definitionEntry {
			c.readDefinition(tx, e.Key(), b, held)
			continue
		}
		if kind == indexDefinitionEntry {
			c.readIndexDefinition(tx, e.Key(), b, held)
			continue
		}
		if i != 0 {
			c.problem(Layout, tx, "the format version is entry %d, not the first", i)
		}
		if held && (len(b) != 1 || b[0] == 0 || b[0] > catalog.Format) {
			c.problem(Catalog, tx, "format version %x, this version reads up to %d", b, catalog.Format)
		}
	}
	return nil
}

func (c *Check) readDefinition(tx uint64, key, b []byte, held bool) {
	id, _ := keys.ParseCollection(key) // that is how it was recognised
	known := c.collections[id]
	if !held {
		c.assume(tx, id, known)
		return
	}
	def, err := catalog.Decode(id, b, tx)
	if err != nil {
		c.definitionProblem(tx, id, "%v", err)
		return
	}
	switch {
	case known == nil:
		c.created(tx, def)
	case def.Rewritten:
		c.rewritten(tx, def, known)
	case def.Dropped:
		c.dropped(tx, def, known)
	default:
		c.altered(tx, def, known)
	}
}

// assume takes from the engine's own catalog what a truncated definition said:
// the name and the options of a collection never change, but rules may. One that is
// not the first altered or dropped the collection, or was written again for an
// earlier truncation.
func (c *Check) assume(tx uint64, id uint32, known *collection) {
	def, ok := c.final.ByID(id)
	if !ok {
		def = &catalog.Collection{}
	}
	switch {
	case known == nil:
		known = &collection{
			name: def.Name, mode: def.Mode, compress: def.Compress, unknown: true, changedTx: tx,
		}
		known.follow(def)
		c.collections[id] = known
		if !ok {
			c.definitionProblem(tx, id, "the engine does not know it")
		}
	case def.Dropped && def.ChangedTx == tx:
		known.unknown, known.changedTx, known.droppedTx = true, tx, tx
	}
	if def.Altered {
		known.unknown, known.unsure, known.appendOnly, known.rules = true, true, false, nil
	}
}

// follow takes in what a definition says that can change.
func (known *collection) follow(def *catalog.Collection) {
	known.appendOnly, known.rules, known.altered = def.AppendOnly, def.Rules, def.Altered
	known.unsure = false
}

func (c *Check) created(tx uint64, def *catalog.Collection) {
	if def.Rewritten || def.Dropped || def.Altered {
		c.definitionProblem(tx, def.ID, "its first definition is not one that creates it")
	}
	if def.ID != uint32(len(c.collections))+1 {
		c.definitionProblem(tx, def.ID, "numbers are given in order, the next one was %d", len(c.collections)+1)
	}
	for id, other := range c.collections {
		if other.name == def.Name && other.droppedTx == 0 {
			c.definitionProblem(tx, def.ID, "collection %d has its name %s", id, def.Name)
		}
	}
	c.collections[def.ID] = &collection{name: def.Name, mode: def.Mode, compress: def.Compress, author: def.Author, changedTx: tx}
	c.collections[def.ID].follow(def)
}

// sameAs reports whether a definition has the same options and, if they are known,
// the same rules.
func (known *collection) sameAs(def *catalog.Collection) bool {
	return known.sameOptions(def) && (known.unsure || known.appendOnly == def.AppendOnly &&
		known.altered == def.Altered && known.rules.Equal(def.Rules))
}

// sameOptions compares what never changes.
func (known *collection) sameOptions(def *catalog.Collection) bool {
	return known.name == def.Name && known.mode == def.Mode && known.compress == def.Compress
}

func (c *Check) rewritten(tx uint64, def *catalog.Collection, known *collection) {
	same := known.sameAs(def) && def.Dropped == (known.droppedTx != 0) && (known.unsure || def.ChangedTx == known.changedTx)
	if !same || !known.unknown && def.Author != known.author {
		c.definitionProblem(tx, def.ID, "its definition was written again, but not the same")
	}
	known.author, known.unknown, known.changedTx = def.Author, false, def.ChangedTx
	known.follow(def)
}

func (c *Check) altered(tx uint64, def *catalog.Collection, known *collection) {
	if !def.Altered || known.droppedTx != 0 || !known.sameOptions(def) {
		c.definitionProblem(tx, def.ID, "its definition changed, but only its rules can")
	}
	known.changedTx, known.author, known.unknown = tx, def.Author, false
	known.follow(def)
}

func (c *Check) dropped(tx uint64, def *catalog.Collection, known *collection) {
	if !def.Dropped || known.droppedTx != 0 || !known.sameAs(def) {
		c.definitionProblem(tx, def.ID, "it was dropped, which can be once and changes nothing else")
	}
	known.droppedTx, known.changedTx, known.author, known.unknown = tx, tx, def.Author, false
}

func (c *Check) definitionProblem(tx uint64, id uint32, detail string, args ...any) {
	r := recordCheck{Check: c, tx: tx, coll: id}
	r.problem(Catalog, detail, args...)
}

// takeForGranted takes from the engine's own catalog what the collections and indexes
// were after a transaction.
func (c *Check) takeForGranted(tx uint64) {
	for _, id := range c.final.IDs() {
		def, _ := c.final.ByID(id)
		if def.CreatedTx > tx {
			continue
		}
		known := &collection{
			name: def.Name, mode: def.Mode, appendOnly: def.AppendOnly, compress: def.Compress, unknown: true, changedTx: def.CreatedTx,
		}
		if def.Dropped && def.ChangedTx <= tx {
			known.changedTx, known.droppedTx = def.ChangedTx, def.ChangedTx
		}
		c.collections[id] = known
		c.indexes[id] = map[uint32]*catalog.Index{}
		for _, ix := range c.final.Indexes(id) {
			if ix.CreatedTx <= tx {
				c.assumeIndex(ix, tx, ix.State == catalog.Dropped)
			}
		}
		c.remember(id, tx)
	}
}

// checkCatalog compares the collections found with those of the engine.
func (c *Check) checkCatalog() {
	for _, id := range c.final.IDs() {
		def, _ := c.final.ByID(id)
		if def.CreatedTx > c.at {
			continue // newer than what was read
		}
		known, ok := c.collections[id]
		if !ok {
			c.definitionProblem(0, id, "the engine has it, the ledger does not")
			continue
		}
		now, exists := c.final.ByName(def.Name, c.at)
		exists = exists && now.ID == id
		same := known.sameAs(def)
		if def.ChangedTx > c.at { // by what was not read
			same = known.sameOptions(def)
		}
		if !same || exists != (known.droppedTx == 0) {
			c.definitionProblem(known.changedTx, id, "the engine has it otherwise than the ledger")
		}
	}
	for id := range c.collections {
		if _, ok := c.final.ByID(id); !ok {
			c.definitionProblem(0, id, "the ledger has it, the engine does not")
		}
	}
}
