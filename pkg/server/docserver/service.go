package docserver

import (
	"time"

	"github.com/codenotary/immudb/pkg/server"

	"github.com/immudoc/immudoc/internal/immudbhost"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// service implements immudoc.v1 over the databases of one immudb server.
type service struct {
	schema.UnsafeDocumentServiceServer
	srv         *server.ImmuServer
	host        *immudbhost.Host
	sorting     chan struct{} // full while as many sorted listings are under way as may be
	aggregating chan struct{} // and as many aggregations
	checking    chan struct{} // and as many checks

	heartbeat time.Duration // of change feeds; less in tests
}

var _ schema.DocumentServiceServer = (*service)(nil)

func newService(srv *server.ImmuServer, host *immudbhost.Host) *service {
	return &service{
		srv: srv, host: host,
		sorting: make(chan struct{}, maxSorting), aggregating: make(chan struct{}, maxAggregating),
		checking: make(chan struct{}, maxChecking), heartbeat: heartbeat,
	}
}
