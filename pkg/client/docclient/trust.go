package docclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/codenotary/immudb/pkg/api/schema"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// anchor is a state of the database with what goes into the state file. TxID 0
// means that nothing is trusted yet.
type anchor struct {
	proof.State
	signature *schema.Signature
}

// anchorOf reads a stored or received state.
func anchorOf(s *schema.ImmutableState) (anchor, error) {
	a := anchor{State: proof.State{TxID: s.GetTxId()}, signature: s.GetSignature()}
	if a.TxID == 0 {
		return anchor{}, nil
	}
	if len(s.GetTxHash()) != len(a.Alh) {
		return anchor{}, fmt.Errorf("docclient: state of transaction %d: hash of %d bytes, want %d", a.TxID, len(s.GetTxHash()), len(a.Alh))
	}
	copy(a.Alh[:], s.GetTxHash())
	return a, nil
}

func (a anchor) immutableState(database string) *schema.ImmutableState {
	return &schema.ImmutableState{Db: database, TxId: a.TxID, TxHash: bytes.Clone(a.Alh[:]), Signature: a.signature}
}

// stateFile is the part of immudb's state service that is used: a locked file
// with one trusted state a database.
type stateFile interface {
	CacheLock() error
	CacheUnlock() error
	GetState(ctx context.Context, db string) (*schema.ImmutableState, error)
	SetState(db string, state *schema.ImmutableState) error
}

// linkFunc proves that the newer state continues the older one.
type linkFunc func(ctx context.Context, older, newer proof.State) error

// trust is the trusted state of one database (invariant 4 of the package).
type trust struct {
	database string
	link     linkFunc

	mu   sync.Mutex // a state service handles one lock at a time
	file stateFile
}

// locked runs f while the state file is locked for this client alone.
func (t *trust) locked(f func() error) (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.file.CacheLock(); err != nil {
		return fmt.Errorf("docclient: lock the state file: %w", err)
	}
	defer func() {
		if uerr := t.file.CacheUnlock(); uerr != nil {
			err = errors.Join(err, fmt.Errorf("docclient: unlock the state file: %w", uerr))
		}
	}()
	return f()
}

// stored reads the state file, which must be locked. If the file has no state of
// the database, the server is asked for its own and that is stored (trust on
// first use).
func (t *trust) stored(ctx context.Context) (anchor, error) {
	s, err := t.file.GetState(ctx, t.database)
	if err != nil {
		return anchor{}, fmt.Errorf("docclient: trusted state of database %s: %w", t.database, err)
	}
	return anchorOf(s)
}

// current returns what is trusted now.
func (t *trust) current(ctx context.Context) (a anchor, err error) {
	err = t.locked(func() error {
		a, err = t.stored(ctx)
		return err
	})
	return a, err
}

// advance makes next trusted, which was proved to continue sent. Where another
// client moved the stored state meanwhile, next is linked to that one first; the
// newer of both stays.
func (t *trust) advance(ctx context.Context, sent, next anchor) error {
	if next.TxID == sent.TxID {
		return nil
	}
	for {
		found, err := t.swap(ctx, sent, next)
		switch {
		case err != nil:
			return err
		case found.TxID == sent.TxID && found.Alh == sent.Alh:
			return nil // swapped
		case found.TxID == next.TxID:
			if found.Alh != next.Alh {
				return ErrFork
			}
			return nil
		case found.TxID > next.TxID:
			return t.link(ctx, next.State, found.State)
		default:
			if err := t.link(ctx, found.State, next.State); err != nil {
				return err
			}
			sent = found
		}
	}
}

// swap stores next if the stored state is still old, and returns what it found.
func (t *trust) swap(ctx context.Context, old, next anchor) (found anchor, err error) {
	err = t.locked(func() error {
		found, err = t.stored(ctx)
		if err != nil || found.TxID != old.TxID || found.Alh != old.Alh {
			return err
		}
		if err := t.file.SetState(t.database, next.immutableState(t.database)); err != nil {
			return fmt.Errorf("docclient: store the trusted state of database %s: %w", t.database, err)
		}
		return nil
	})
	return found, err
}
