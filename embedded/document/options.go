package document

import (
	"fmt"
	"io"

	"github.com/codenotary/immudb/embedded/logger"
)

// Durability says what an acknowledged write survives.
type Durability int

const (
	// Fsync writes survive the loss of power.
	Fsync Durability = iota
	// Flush writes survive the end of the process, but the last ones may be lost
	// with the power. Faster where the disk is slow.
	Flush
)

// Options of an embedded database. The zero value is not valid; start from
// [DefaultOptions] or [DeviceOptions].
type Options struct {
	Name         string     // of the database, which verifiers must expect
	Author       string     // of writes that name none
	Durability   Durability // of writes
	MaxTxEntries int        // ledger entries a transaction can hold; fixed when the folder is created
	OverlayBytes int        // memory for writes that the index has not flushed yet
	CacheBytes   int        // memory for documents read lately
	IndexBytes   int        // memory in which the index collects changes
	Concurrency  int        // transactions prepared at once
	Logger       logger.Logger
}

// DefaultOptions fit a server or a workstation.
func DefaultOptions() *Options {
	return &Options{
		Name:         "embedded",
		Durability:   Fsync,
		MaxTxEntries: 2048,
		OverlayBytes: 64 << 20,
		CacheBytes:   32 << 20,
		IndexBytes:   64 << 20,
		Concurrency:  8,
		Logger:       discard(),
	}
}

// DeviceOptions fit a device with little memory: an open database takes some
// 16 MB, and transactions hold up to 60 documents.
func DeviceOptions() *Options {
	o := DefaultOptions()
	o.MaxTxEntries = 64
	o.OverlayBytes = 1 << 20
	o.CacheBytes = 256 << 10
	o.IndexBytes = 256 << 10
	o.Concurrency = 2
	return o
}

func discard() logger.Logger {
	return logger.NewSimpleLoggerWithLevel("immudoc", io.Discard, logger.LogError)
}

// WithName sets the name of the database that proofs are verified against.
func (o *Options) WithName(name string) *Options { o.Name = name; return o }

// WithAuthor sets the author of writes that name none.
func (o *Options) WithAuthor(author string) *Options { o.Author = author; return o }

// WithDurability sets what an acknowledged write survives.
func (o *Options) WithDurability(d Durability) *Options { o.Durability = d; return o }

// WithMaxTxEntries sets how many ledger entries a transaction can hold. It
// matters when the folder is created and has no effect later.
func (o *Options) WithMaxTxEntries(n int) *Options { o.MaxTxEntries = n; return o }

// WithOverlayBytes bounds the memory for writes that the index has not flushed.
func (o *Options) WithOverlayBytes(n int) *Options { o.OverlayBytes = n; return o }

// WithCacheBytes bounds the memory for documents read lately.
func (o *Options) WithCacheBytes(n int) *Options { o.CacheBytes = n; return o }

// WithIndexBytes bounds the memory in which the index collects changes.
func (o *Options) WithIndexBytes(n int) *Options { o.IndexBytes = n; return o }

// WithConcurrency sets how many transactions are prepared at once.
func (o *Options) WithConcurrency(n int) *Options { o.Concurrency = n; return o }

// WithLogger sets where the store logs to; by default nowhere.
func (o *Options) WithLogger(l logger.Logger) *Options { o.Logger = l; return o }

// Validate returns ErrInvalidOptions naming the first option out of range.
func (o *Options) Validate() error {
	switch {
	case o == nil:
		return fmt.Errorf("%w: nil; start from DefaultOptions", ErrInvalidOptions)
	case o.Name == "":
		return fmt.Errorf("%w: empty Name", ErrInvalidOptions)
	case o.Durability != Fsync && o.Durability != Flush:
		return fmt.Errorf("%w: Durability %d", ErrInvalidOptions, o.Durability)
	case o.MaxTxEntries < 2 || o.MaxTxEntries > 1<<16-1:
		return fmt.Errorf("%w: MaxTxEntries %d, allowed are 2 to 65535", ErrInvalidOptions, o.MaxTxEntries)
	case o.OverlayBytes < 64<<10:
		return fmt.Errorf("%w: OverlayBytes %d, the least is 65536", ErrInvalidOptions, o.OverlayBytes)
	case o.CacheBytes < 0:
		return fmt.Errorf("%w: CacheBytes %d", ErrInvalidOptions, o.CacheBytes)
	case o.IndexBytes < 64<<10:
		return fmt.Errorf("%w: IndexBytes %d, the least is 65536", ErrInvalidOptions, o.IndexBytes)
	case o.Concurrency < 1:
		return fmt.Errorf("%w: Concurrency %d", ErrInvalidOptions, o.Concurrency)
	case o.Logger == nil:
		return fmt.Errorf("%w: nil Logger", ErrInvalidOptions)
	}
	return nil
}
