package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/tidwall/btree"
)

// Range says which keys a scan visits: those that start with Prefix, are not less
// than From but less than To, and lie beyond After (exclusive) in the direction of
// the scan.
type Range struct {
	Prefix []byte
	From   []byte // nil: from the first key of the prefix
	To     []byte // nil: to the last key of the prefix
	After  []byte // nil: from the end where the scan begins
	Desc   bool
	Newer  bool // visit keys without a version at the moment too, for who must not go on for long without hearing
}

// start is the key where a scan begins, and whether it is visited itself; nil for
// the end of the prefix.
func (r Range) start() (key []byte, inclusive bool) {
	switch {
	case r.Desc && r.To != nil && (r.After == nil || bytes.Compare(r.To, r.After) < 0):
		return r.To, false
	case !r.Desc && r.From != nil && bytes.Compare(r.From, r.After) > 0:
		return r.From, true
	}
	return r.After, false
}

// beyond reports whether a key lies behind the end of the range.
func (r Range) beyond(key string) bool {
	if r.Desc {
		return r.From != nil && key < string(r.From)
	}
	return r.To != nil && key >= string(r.To)
}

// Scan yields for each key in the range its version at a moment (see
// [View.Get]), in key order. Keys without a version at that moment are left
// out, or have one of transaction 0, see [Range]; deleted versions are yielded as such.
func (v *View) Scan(ctx context.Context, r Range, at uint64) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		indexed, err := v.openIndexed(ctx, r)
		if err != nil {
			yield(Version{}, err)
			return
		}
		defer indexed.close()
		newer := openOverlay(v.overlay, r)
		defer newer.iter.Release()

		for {
			if err := ctx.Err(); err != nil {
				yield(Version{}, err)
				return
			}
			if err := indexed.fill(); err != nil {
				yield(Version{}, err)
				return
			}
			newer.fill()
			version, ok, more, err := v.next(indexed, newer, r.Desc, at)
			if err != nil {
				yield(Version{}, err)
				return
			}
			if !more {
				return
			}
			if (ok || r.Newer) && !yield(version, nil) {
				return
			}
		}
	}
}

// next takes the nearest key of both sources and returns its version at a
// moment; ok is false if the key had none yet, but for the key, more is false at the end.
func (v *View) next(indexed *indexCursor, newer *overlayCursor, desc bool, at uint64) (version Version, ok, more bool, err error) {
	switch {
	case !indexed.valid && !newer.valid:
		return Version{}, false, false, nil
	case !indexed.valid:
		ok, version = v.takeOverlay(newer, at)
		return version, ok, true, nil
	case !newer.valid:
		version, ok, err = v.takeIndexed(indexed, at)
		return version, ok, true, err
	}
	order := strings.Compare(newer.key, string(indexed.key))
	if desc {
		order = -order
	}
	switch {
	case order < 0:
		ok, version = v.takeOverlay(newer, at)
	case order > 0:
		version, ok, err = v.takeIndexed(indexed, at)
	default:
		if ok, version = v.takeOverlay(newer, at); ok {
			indexed.valid = false
		} else {
			version, ok, err = v.takeIndexed(indexed, at)
		}
	}
	return version, ok, true, err
}

func (v *View) takeOverlay(c *overlayCursor, at uint64) (bool, Version) {
	c.valid = false
	e, ok := v.overlayAt(c.key, at)
	if !ok {
		return false, Version{Key: []byte(c.key)}
	}
	return true, e.version()
}

func (v *View) takeIndexed(c *indexCursor, at uint64) (Version, bool, error) {
	c.valid = false
	version, ok, err := v.refAt(c.key, c.ref, at)
	if !ok {
		version.Key = c.key
	}
	return version, ok, err
}

// indexCursor walks the keys of the snapshot.
type indexCursor struct {
	ctx    context.Context
	within Range
	reader store.KeyReader
	key    []byte
	ref    store.ValueRef
	valid  bool
	done   bool
}

func (v *View) openIndexed(ctx context.Context, r Range) (*indexCursor, error) {
	seek, inclusive := r.start()
	reader, err := v.snapshot.NewKeyReader(store.KeyReaderSpec{
		Prefix:        r.Prefix,
		SeekKey:       seek,
		InclusiveSeek: inclusive,
		DescOrder:     r.Desc,
	})
	if err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	return &indexCursor{ctx: ctx, within: r, reader: reader}, nil
}

func (c *indexCursor) close() { _ = c.reader.Close() }

func (c *indexCursor) fill() error {
	if c.valid || c.done {
		return nil
	}
	key, ref, err := c.reader.Read(c.ctx)
	if errors.Is(err, store.ErrNoMoreEntries) || err == nil && c.within.beyond(string(key)) {
		c.done = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	c.key, c.ref, c.valid = bytes.Clone(key), ref, true
	return nil
}

// overlayCursor walks the distinct keys of the overlay.
type overlayCursor struct {
	iter    btree.IterG[entry]
	within  Range
	prefix  string
	key     string
	started bool // key was visited, or is to be passed over
	seek    entry
	valid   bool
	done    bool
}

func openOverlay(tree *btree.BTreeG[entry], r Range) *overlayCursor {
	c := &overlayCursor{iter: tree.Iter(), within: r, prefix: string(r.Prefix)}
	switch start, inclusive := r.start(); {
	case start != nil && inclusive:
		c.seek = entry{key: string(start)}
	case start != nil:
		c.key, c.started = string(start), true
	case r.Desc:
		c.seek = entry{key: prefixEnd(r.Prefix)}
	default:
		c.seek = entry{key: c.prefix}
	}
	return c
}

// prefixEnd returns the first key after all keys with the prefix, which never
// consists of 0xFF bytes only.
func prefixEnd(prefix []byte) string {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return string(end[:i+1])
		}
	}
	return strings.Repeat("\xff", 2048)
}

func (c *overlayCursor) fill() {
	if c.valid || c.done {
		return
	}
	seek := c.seek
	if c.started { // beyond all versions of the last key
		seek = entry{key: c.key, tx: Newest}
		if c.within.Desc {
			seek.tx = 0
		}
	}
	c.started = true
	if !c.position(seek) || !strings.HasPrefix(c.iter.Item().key, c.prefix) || c.within.beyond(c.iter.Item().key) {
		c.done = true
		return
	}
	c.key, c.valid = c.iter.Item().key, true
}

// position moves to the first entry at or after seek, or, descending, to the
// last entry before it. No entry has transaction 0 or Newest.
func (c *overlayCursor) position(seek entry) bool {
	if !c.within.Desc {
		return c.iter.Seek(seek)
	}
	if c.iter.Seek(seek) {
		return c.iter.Prev()
	}
	return c.iter.Last()
}
