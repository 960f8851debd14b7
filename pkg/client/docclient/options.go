package docclient

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/codenotary/immudb/pkg/client"
)

// DefaultMaxMessageSize bounds one answer of the server, in bytes. It has room
// for the largest document that fits a request of the server's default limit
// (32 MiB), with its proof.
const DefaultMaxMessageSize = 64 << 20

// ErrOptions is wrapped by the errors of [Options.Validate].
var ErrOptions = errors.New("docclient: invalid options")

// Options say where and how to connect. The With methods change the options they
// are called on and return them.
type Options struct {
	// Immudb are the options of immudb's own client: address, port, mutual TLS,
	// the folder of the state files (Dir), the server's signing key, the
	// frequency of heartbeats. They are copied, never changed.
	Immudb *client.Options

	Username string
	Password string
	Database string

	// Unverified turns all proofs and checks off. The trusted state is neither
	// used nor moved.
	Unverified bool

	// MaxMessageSize is the largest answer that is accepted, in bytes. A larger
	// Immudb.MaxRecvMsgSize wins.
	MaxMessageSize int
}

// DefaultOptions are immudb's own defaults: user and password "immudb", database
// "defaultdb", 127.0.0.1:3322, state files in the current folder.
func DefaultOptions() *Options {
	return &Options{
		Immudb:         client.DefaultOptions(),
		Username:       "immudb",
		Password:       "immudb",
		Database:       "defaultdb",
		MaxMessageSize: DefaultMaxMessageSize,
	}
}

// WithImmudb sets the options of immudb's own client.
func (o *Options) WithImmudb(options *client.Options) *Options {
	o.Immudb = options
	return o
}

// WithUser sets the user's name and password.
func (o *Options) WithUser(username, password string) *Options {
	o.Username, o.Password = username, password
	return o
}

// WithDatabase sets the database.
func (o *Options) WithDatabase(database string) *Options {
	o.Database = database
	return o
}

// WithUnverified turns verification off (true) or on.
func (o *Options) WithUnverified(unverified bool) *Options {
	o.Unverified = unverified
	return o
}

// WithMaxMessageSize sets the largest answer that is accepted, in bytes.
func (o *Options) WithMaxMessageSize(size int) *Options {
	o.MaxMessageSize = size
	return o
}

// Validate reports the first option that cannot be used.
func (o *Options) Validate() error {
	switch {
	case o == nil:
		return fmt.Errorf("%w: nil", ErrOptions)
	case o.Immudb == nil:
		return fmt.Errorf("%w: Immudb is nil", ErrOptions)
	case o.Immudb.Address == "" || o.Immudb.Port < 1 || o.Immudb.Port > 65535:
		return fmt.Errorf("%w: address %q, port %d", ErrOptions, o.Immudb.Address, o.Immudb.Port)
	case o.Username == "":
		return fmt.Errorf("%w: no user name", ErrOptions)
	case o.Database == "":
		return fmt.Errorf("%w: no database", ErrOptions)
	case o.MaxMessageSize < 0:
		return fmt.Errorf("%w: MaxMessageSize %d", ErrOptions, o.MaxMessageSize)
	}
	return nil
}

// database returns the name as the server knows it: in lower case.
func (o *Options) database() string { return strings.ToLower(o.Database) }

// immudbOptions returns a copy for one session, which immudb's client changes.
func (o *Options) immudbOptions() *client.Options {
	c := *o.Immudb
	c.DialOptions = slices.Clone(c.DialOptions)
	c.MaxRecvMsgSize = max(c.MaxRecvMsgSize, o.MaxMessageSize)
	if c.HeartBeatFrequency <= 0 {
		c.HeartBeatFrequency = time.Minute
	}
	return &c
}
