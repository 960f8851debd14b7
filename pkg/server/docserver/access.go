package docserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/codenotary/immudb/pkg/auth"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/codenotary/immudb/pkg/server/sessions"
	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/internal/immudbhost"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// access says what a method asks of its caller.
type access struct {
	permission uint32 // least permission on the database
	writes     bool   // changes the ledger
}

// methods is the permission table: every method of the service is in it, or is
// refused (TestEveryMethodHasItsPermission). Collections and indexes are administered
// with the permission to write, as in immudb's own document service. A check reads all
// there is, for long, and is for those who administer the database.
var methods = map[string]access{
	schema.DocumentService_CreateCollection_FullMethodName:     {auth.PermissionRW, true},
	schema.DocumentService_AlterCollection_FullMethodName:      {auth.PermissionRW, true},
	schema.DocumentService_DropCollection_FullMethodName:       {auth.PermissionRW, true},
	schema.DocumentService_CreateIndex_FullMethodName:          {auth.PermissionRW, true},
	schema.DocumentService_DropIndex_FullMethodName:            {auth.PermissionRW, true},
	schema.DocumentService_Insert_FullMethodName:               {auth.PermissionRW, true},
	schema.DocumentService_Replace_FullMethodName:              {auth.PermissionRW, true},
	schema.DocumentService_Update_FullMethodName:               {auth.PermissionRW, true},
	schema.DocumentService_Delete_FullMethodName:               {auth.PermissionRW, true},
	schema.DocumentService_Transact_FullMethodName:             {auth.PermissionRW, true},
	schema.DocumentService_UpdateMatching_FullMethodName:       {auth.PermissionRW, true},
	schema.DocumentService_DeleteMatching_FullMethodName:       {auth.PermissionRW, true},
	schema.DocumentService_GetCollection_FullMethodName:        {auth.PermissionR, false},
	schema.DocumentService_ListCollections_FullMethodName:      {auth.PermissionR, false},
	schema.DocumentService_GetCollectionHistory_FullMethodName: {auth.PermissionR, false},
	schema.DocumentService_GetIndex_FullMethodName:             {auth.PermissionR, false},
	schema.DocumentService_ListIndexes_FullMethodName:          {auth.PermissionR, false},
	schema.DocumentService_Get_FullMethodName:                  {auth.PermissionR, false},
	schema.DocumentService_Count_FullMethodName:                {auth.PermissionR, false},
	schema.DocumentService_History_FullMethodName:              {auth.PermissionR, false},
	schema.DocumentService_Scan_FullMethodName:                 {auth.PermissionR, false},
	schema.DocumentService_Explain_FullMethodName:              {auth.PermissionR, false},
	schema.DocumentService_Aggregate_FullMethodName:            {auth.PermissionR, false},
	schema.DocumentService_Distinct_FullMethodName:             {auth.PermissionR, false},
	schema.DocumentService_Watch_FullMethodName:                {auth.PermissionR, false},
	schema.DocumentService_Prove_FullMethodName:                {auth.PermissionR, false},
	schema.DocumentService_GetState_FullMethodName:             {auth.PermissionR, false},
	schema.DocumentService_Check_FullMethodName:                {auth.PermissionAdmin, false},
}

// grant is a caller's right to call a method on a database.
type grant struct {
	access
	database string
	author   string // of writes; none while authentication is off
}

// call is an authorised call that holds an open database. It must be released
// soon (invariant 2).
type call struct {
	engine   *document.Engine
	database string
	ref      *immudbhost.Ref
	ctx      context.Context
	cancel   context.CancelFunc
}

func (c *call) release() {
	c.cancel()
	c.ref.Release()
}

// interrupted reports whether the call is to end because the database closes.
func (c *call) interrupted() bool {
	return errors.Is(context.Cause(c.ctx), immudbhost.ErrDatabaseClosed)
}

// status makes the status error of what the call came to.
func (c *call) status(err error) error {
	if err != nil && c.interrupted() && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: '%s' is closing", immudbhost.ErrDatabaseClosed, c.database)
	}
	return toStatus(err)
}

// serve lets do answer a call of a method, once transaction since can be seen.
func serve[R any](ctx context.Context, s *service, method string, since uint64, do func(context.Context, *call) (R, error)) (R, error) {
	var none R
	g, err := s.authorise(ctx, method, "")
	if err != nil {
		return none, err
	}
	c, err := s.take(ctx, g, since)
	if err != nil {
		return none, err
	}
	defer c.release()
	m, err := do(c.ctx, c)
	if err != nil {
		return none, c.status(err)
	}
	return m, nil
}

// authorise checks that the caller may call a method on a database, by default
// the one of the caller's session.
func (s *service) authorise(ctx context.Context, method, database string) (*grant, error) {
	need, known := methods[method]
	if !known { // invariant 1
		return nil, refuse(codes.PermissionDenied, "NO_PERMISSION_ENTRY", "method %s has no permission entry", method)
	}
	if s.srv.Options.GetMaintenance() {
		return nil, refuse(codes.FailedPrecondition, "MAINTENANCE", "documents are not served in maintenance mode: it has no sessions")
	}
	user, selected, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	if database == "" {
		database = selected
	}
	if database == server.SystemDBName {
		return nil, refuse(codes.PermissionDenied, "SYSTEM_DATABASE", "documents are not kept in %s; select another database", database)
	}
	g := &grant{access: need, database: database}
	if user != nil {
		if !permits(user.WhichPermission(database), need.permission) {
			return nil, refuse(codes.PermissionDenied, "PERMISSION_DENIED", "user %s may not do this in database %s: it takes the permission %s",
				user.Username, database, permissionName(need.permission))
		}
		g.author = user.Username
	}
	return g, nil
}

// take holds the database of a grant, when it is open and transaction since can
// be seen there. While that takes time the database is let go of again and
// again, so that nothing has to wait for a caller that waits.
func (s *service) take(ctx context.Context, g *grant, since uint64) (*call, error) {
	for {
		c, err := s.tryTake(ctx, g, since)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, errNotYet) {
			return nil, toStatus(err)
		}
	}
}

// errNotYet means that a database was not ready after the time that it may be
// held for.
var errNotYet = errors.New("not ready yet")

func (s *service) tryTake(ctx context.Context, g *grant, since uint64) (*call, error) {
	ref, err := s.host.Acquire(g.database)
	if err != nil {
		return nil, err
	}
	c := &call{engine: ref.Attachment().(attachment).Engine, database: g.database, ref: ref}
	if g.writes { // a write is finished when the database closes, a read is ended
		c.ctx, c.cancel = context.WithCancel(document.WithAuthor(ctx, g.author))
	} else {
		c.ctx, c.cancel = ref.Context(ctx)
	}
	if g.writes && c.engine.Replica() {
		c.release()
		return nil, document.ErrReplica
	}
	waiting, cancel := context.WithTimeout(c.ctx, partTime)
	defer cancel()
	if since > 0 {
		err = inField("since_tx", c.engine.WaitFor(waiting, since))
	} else {
		err = c.engine.Ready(waiting)
	}
	if err == nil {
		return c, nil
	}
	if waiting.Err() != nil && ctx.Err() == nil {
		err = errNotYet
	}
	c.release()
	return nil, err
}

// caller returns the user and the database of the session a call belongs to.
// While authentication is off there are no users, and, as in immudb's own
// document service, all calls are to the default database; immudb then lets in
// local clients only.
func (s *service) caller(ctx context.Context) (*auth.User, string, error) {
	id, err := sessions.GetSessionIDFromContext(ctx)
	if err != nil {
		if !s.srv.Options.GetAuth() {
			return nil, s.srv.Options.GetDefaultDBName(), nil
		}
		return nil, "", refuse(codes.Unauthenticated, "NO_SESSION", "open a session first")
	}
	session, err := s.srv.SessManager.GetSession(id)
	if err != nil {
		return nil, "", refuse(codes.Unauthenticated, "NO_SESSION", "the session has ended; open a new one")
	}
	s.srv.SessManager.UpdateSessionActivityTime(id) // immudb counts the start of a stream only
	db := session.GetDatabase()
	if db == nil {
		return nil, "", refuse(codes.FailedPrecondition, "NO_DATABASE", "select a database first")
	}
	return session.GetUser(), db.GetName(), nil
}

// permits reports whether a user's permission on a database covers what a
// method needs. immudb's numbers are not in order of strength.
func permits(has, need uint32) bool {
	strength := map[uint32]int{
		auth.PermissionR: 1, auth.PermissionRW: 2, auth.PermissionAdmin: 3, auth.PermissionSysAdmin: 4,
	}
	return strength[has] >= strength[need]
}

func permissionName(p uint32) string {
	switch p {
	case auth.PermissionR:
		return "read"
	case auth.PermissionRW:
		return "readwrite"
	default:
		return "admin"
	}
}
