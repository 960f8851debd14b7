package docclient

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/client"
	"github.com/codenotary/immudb/pkg/client/cache"
	"github.com/codenotary/immudb/pkg/client/state"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// session is one session of immudb's own client and the document service on the
// connection it made.
type session struct {
	immudb  client.ImmuClient
	states  state.StateService // immudb's view of the state files
	id      string
	user    string
	conn    *grpc.ClientConn
	service documentschema.DocumentServiceClient
	signer  *ecdsa.PublicKey // of the server's states, nil if none is required
	broken  atomic.Bool      // the server does not know the session any more
}

// openSession opens immudb's session client and takes hold of its connection.
//
// immudb's client has no accessor for the connection. Every interceptor is
// handed it, though, and opening a session is a call like any other: the
// interceptor put in first sees the connection before OpenSession returns.
func openSession(ctx context.Context, o *Options) (*session, error) {
	options := o.immudbOptions()
	if err := useTLS(options); err != nil {
		return nil, err
	}
	s := &session{}
	if path := options.ServerSigningPubKey; path != "" {
		// Read here first: immudb's client panics on a key of another kind.
		key, err := ReadPublicKey(path)
		if err != nil {
			return nil, err
		}
		s.signer = key
	}
	if err := os.MkdirAll(options.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("docclient: folder of the state files: %w", err)
	}

	c := client.NewClient().WithLogger(logger.NewSimpleLoggerWithLevel("docclient", os.Stderr, logger.LogError))
	var conn atomic.Pointer[grpc.ClientConn]
	var server atomic.Pointer[string] // its UUID, which names its state file
	options.DialOptions = append(options.DialOptions,
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			conn.Store(cc)
			err := invoke(ctx, method, req, reply, cc, opts...)
			if opened, ok := reply.(*schema.OpenSessionResponse); ok && err == nil {
				server.Store(&opened.ServerUUID)
			}
			return s.note(err)
		}),
		// immudb's client names the session in calls but not in streams.
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			if md, _ := metadata.FromOutgoingContext(ctx); len(md.Get(sessionHeader)) == 0 {
				ctx = metadata.AppendToOutgoingContext(ctx, sessionHeader, s.id)
			}
			cs, err := stream(ctx, desc, cc, method, opts...)
			return cs, s.note(err)
		}))
	c.WithOptions(options)
	if err := c.OpenSession(ctx, []byte(o.Username), []byte(o.Password), o.database()); err != nil {
		return nil, fmt.Errorf("docclient: open a session of user %s on database %s at %s: %w", o.Username, o.database(), options.Bind(), err)
	}
	s.immudb, s.states, s.id, s.user, s.conn = c, c.StateService, c.GetSessionID(), o.Username, conn.Load()
	if s.conn == nil || s.states == nil {
		return nil, errors.Join(errors.New("docclient: immudb's client opened a session without a connection"), c.CloseSession(ctx))
	}
	if uuid := server.Load(); uuid != nil && !o.Unverified {
		if err := checkStateFile(filepath.Join(options.Dir, cache.STATE_FN+*uuid)); err != nil {
			return nil, errors.Join(err, c.CloseSession(ctx))
		}
	}
	s.service = documentschema.NewDocumentServiceClient(s.conn)
	return s, nil
}

// sessionHeader is the metadata key under which immudb expects the session's id.
const sessionHeader = "sessionid"

// note remembers whether an error shows that the session is gone.
func (s *session) note(err error) error {
	if sessionLost(err) {
		s.broken.Store(true)
	}
	return err
}

// usable reports whether another call has a chance.
func (s *session) usable() bool {
	if s.broken.Load() {
		return false
	}
	switch s.conn.GetState() {
	case connectivity.Shutdown, connectivity.TransientFailure:
		return false
	default:
		return true
	}
}

// close ends the session on the server and closes the connection.
func (s *session) close(ctx context.Context) error {
	if err := s.immudb.CloseSession(ctx); err != nil {
		return fmt.Errorf("docclient: close the session: %w", err)
	}
	return nil
}

// useTLS replaces immudb's mutual TLS settings by the credentials they describe.
// immudb's client would drop all other dial options with them, and would go on
// with a certificate that it cannot read.
func useTLS(o *client.Options) error {
	if !o.MTLs {
		return nil
	}
	m := o.MTLsOptions
	certificate, err := tls.LoadX509KeyPair(m.Certificate, m.Pkey)
	if err != nil {
		return fmt.Errorf("docclient: client certificate: %w", err)
	}
	pem, err := os.ReadFile(m.ClientCAs)
	if err != nil {
		return fmt.Errorf("docclient: certificate authorities: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return fmt.Errorf("docclient: certificate authorities: %s holds no PEM certificate", m.ClientCAs)
	}
	o.MTLs = false
	o.DialOptions = append(o.DialOptions, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		MinVersion:   tls.VersionTLS12,
		ServerName:   m.Servername,
		Certificates: []tls.Certificate{certificate},
		RootCAs:      authorities,
	})))
	return nil
}
