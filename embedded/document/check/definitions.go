package check

import (
	"cmp"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
)

// readIndexDefinition follows the states of an index.
func (c *Check) readIndexDefinition(tx uint64, key, b []byte, held bool) {
	collection, id, _ := keys.ParseIndexDefinition(key) // that is how it was recognised
	known := c.indexes[collection][id]
	if c.indexes[collection] == nil {
		c.indexes[collection] = map[uint32]*catalog.Index{}
	}
	if !held {
		if def, ok := c.final.Index(collection, id); ok {
			c.assumeIndex(def, tx, tx != def.CreatedTx)
			c.remember(collection, tx)
		} else {
			c.definitionProblem(tx, collection, "the engine does not know its index %d", id)
		}
		return
	}
	def, err := catalog.DecodeIndex(collection, id, b, tx)
	if err != nil {
		c.definitionProblem(tx, collection, "%v", err)
		return
	}
	def.CreatedTx = tx
	if known != nil {
		def.CreatedTx = known.CreatedTx
	}
	if problem := indexStep(known, def, uint32(len(c.indexes[collection]))+1); problem != "" && !def.Rewritten {
		c.definitionProblem(tx, collection, "index %d %s: %s", id, def.Name, problem)
	}
	c.indexes[collection][id] = def
	c.remember(collection, tx)
}

// assumeIndex takes from what the engine says of an index now what its definition was
// after a transaction. It may have failed by then, before it was dropped, if mayHave.
func (c *Check) assumeIndex(now *catalog.Index, tx uint64, mayHave bool) {
	then := *now
	switch {
	case now.ChangedTx <= tx:
	case now.ReadyTx != 0 && now.ReadyTx <= tx:
		then.State = catalog.Ready
	default:
		then.State = catalog.Building
		if mayHave && now.ReadyTx == 0 {
			c.unsure[&then] = true
		}
	}
	c.indexes[now.Collection][now.ID] = &then
}

// indexStep says what is wrong with the step from one definition of an index to
// the next, "" if nothing.
func indexStep(known, def *catalog.Index, next uint32) string {
	switch {
	case known == nil && (def.State != catalog.Building || def.ID != next):
		return "its first definition is not one that creates it"
	case known == nil:
		return ""
	case known.Name != def.Name || known.Fields.String() != def.Fields.String() || known.Unique != def.Unique || known.Sparse != def.Sparse ||
		!value.Equal(known.Where, def.Where):
		return "it was changed"
	case known.State == catalog.Dropped, def.State == catalog.Building, known.State != catalog.Building && def.State != catalog.Dropped:
		return "its state cannot follow the one before"
	}
	return ""
}

// indexStates are the indexes that writes to a collection kept from a transaction on, those
// of which that cannot be told included, by number.
type indexStates struct {
	tx   uint64
	kept []*catalog.Index
}

// remember keeps what the indexes of a collection are from a transaction on.
func (c *Check) remember(collection uint32, tx uint64) {
	s := indexStates{tx: tx}
	for _, ix := range c.indexes[collection] {
		if ix.Kept() {
			s.kept = append(s.kept, ix)
		}
	}
	slices.SortFunc(s.kept, func(a, b *catalog.Index) int { return cmp.Compare(a.ID, b.ID) })
	c.states[collection] = append(c.states[collection], s)
}

// keptAt returns the indexes that a transaction had to keep.
func (c *Check) keptAt(collection uint32, tx uint64) []*catalog.Index {
	states := c.states[collection]
	i, found := slices.BinarySearchFunc(states, tx, func(s indexStates, tx uint64) int { return cmp.Compare(s.tx, tx) })
	for found && i+1 < len(states) && states[i+1].tx == tx {
		i++ // a transaction may define several
	}
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	return states[i].kept
}

// checkIndexStates compares the indexes found with those of the engine.
func (c *Check) checkIndexStates() {
	for collection, indexes := range c.indexes {
		for _, ix := range indexes {
			known, ok := c.final.Index(collection, ix.ID)
			if !ok || known.ChangedTx <= c.at && known.State != ix.State {
				c.definitionProblem(ix.ChangedTx, collection, "the engine has index %s otherwise than the ledger", ix.Name)
			}
		}
	}
}

// complete returns an index if it has to be complete at the end.
func (c *Check) complete(collection, number uint32) (*catalog.Index, bool) {
	ix := c.indexes[collection][number]
	return ix, ix != nil && ix.State == catalog.Ready && c.exists(collection)
}
