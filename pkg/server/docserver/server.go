package docserver

import (
	"errors"
	"fmt"

	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/pkg/database"
	pgsqlsrv "github.com/codenotary/immudb/pkg/pgsql/server"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/codenotary/immudb/pkg/stream"
	grpc_prometheus "github.com/grpc-ecosystem/go-grpc-prometheus"

	"github.com/immudoc/immudoc/internal/folderlock"
	"github.com/immudoc/immudoc/internal/immudbhost"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Server is immudb's server with documents in its databases. It stands wherever
// immudb's own server would: it is initialized, started and stopped by the same
// code, with the same options.
type Server struct {
	*server.ImmuServer
	service *service // set by Initialize
	lock    *folderlock.Lock
}

var _ server.ImmuServerIf = (*Server)(nil)

// New returns a server with all options at their defaults, as
// [server.DefaultServer] does.
func New() *Server { return &Server{ImmuServer: server.DefaultServer()} }

// Initialize opens the databases and sets up immudb's services and the document
// service. It is called once. If this program was built with an immudb whose
// inside is not the known one, the error is an immudbhost.ErrLayout.
func (s *Server) Initialize() error {
	host, err := immudbhost.Install(s.ImmuServer, attach)
	if err != nil {
		return s.log(err)
	}
	if s.lock, err = folderlock.Acquire(s.Options.Dir); err != nil {
		return s.log(fmt.Errorf("opening the data folder: %w", err))
	}
	if err := s.ImmuServer.Initialize(); err != nil {
		return errors.Join(err, s.lock.Release())
	}
	if err := host.Check(); err != nil {
		return s.log(errors.Join(err, s.abandon()))
	}
	s.service = newService(s.ImmuServer, host)
	schema.RegisterDocumentServiceServer(s.GrpcServer, s.service)
	grpc_prometheus.Register(s.GrpcServer)
	return nil
}

// log says why the server does not start, as immudb does of its own errors: its
// command closes the standard error output with the logger, before anybody can
// print what Initialize returns.
func (s *Server) log(err error) error {
	s.Logger.Errorf("unable to start: %v", err)
	return err
}

// abandon undoes what Initialize has done.
func (s *Server) abandon() error {
	err := s.Listener.Close()
	if closeErr := s.CloseDatabases(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("closing the databases: %w", closeErr))
	}
	return errors.Join(err, s.lock.Release())
}

// Stop stops the server and lets go of its data folder.
func (s *Server) Stop() error { return errors.Join(s.ImmuServer.Stop(), s.lock.Release()) }

// WithOptions implements [server.ImmuServerIf].
func (s *Server) WithOptions(options *server.Options) server.ImmuServerIf {
	s.ImmuServer.WithOptions(options)
	return s
}

// WithLogger implements [server.ImmuServerIf].
func (s *Server) WithLogger(l logger.Logger) server.ImmuServerIf {
	s.ImmuServer.WithLogger(l)
	return s
}

// WithStateSigner implements [server.ImmuServerIf].
func (s *Server) WithStateSigner(signer server.StateSigner) server.ImmuServerIf {
	s.ImmuServer.WithStateSigner(signer)
	return s
}

// WithStreamServiceFactory implements [server.ImmuServerIf].
func (s *Server) WithStreamServiceFactory(factory stream.ServiceFactory) server.ImmuServerIf {
	s.ImmuServer.WithStreamServiceFactory(factory)
	return s
}

// WithPgsqlServer implements [server.ImmuServerIf].
func (s *Server) WithPgsqlServer(pgsql pgsqlsrv.PGSQLServer) server.ImmuServerIf {
	s.ImmuServer.WithPgsqlServer(pgsql)
	return s
}

// WithDbList implements [server.ImmuServerIf].
func (s *Server) WithDbList(list database.DatabaseList) server.ImmuServerIf {
	s.ImmuServer.WithDbList(list)
	return s
}
