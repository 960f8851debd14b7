package docclient

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// incarnations remembers, by name, the highest number of a collection that was
// proved. A collection that is dropped and made again has a higher number than
// before, so an answer about now with a lower one is about a collection that was
// gone when the request was sent.
type incarnations struct {
	mu      sync.Mutex
	highest atomic.Pointer[map[string]uint32] // never changed, only replaced
}

// known returns what has been proved so far.
func (s *incarnations) known() map[string]uint32 {
	if m := s.highest.Load(); m != nil {
		return *m
	}
	return nil
}

func (s *incarnations) learn(name string, number uint32) {
	if s.known()[name] >= number {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := maps.Clone(s.known())
	if m == nil {
		m = map[string]uint32{}
	}
	m[name] = max(m[name], number)
	s.highest.Store(&m)
}

// incarnation holds the number of a collection, proved in an answer about now,
// against what was known when the request was sent.
func (e *exchange) incarnation(what, name string, number uint32) error {
	if highest := e.known[name]; number < highest {
		return refusedf(what, proof.CheckCollectionID,
			"the proof is of collection id %d, which was dropped: collection %s has had the id %d since", number, name, highest)
	}
	e.c.seen.learn(name, number)
	return nil
}
