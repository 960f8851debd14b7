package document

import (
	"context"
	"fmt"

	"github.com/immudoc/immudoc/internal/access"
)

func init() {
	access.Of = func(ctx context.Context, engine any) (access.Parts, error) {
		e, ok := engine.(*Engine)
		if !ok {
			return access.Parts{}, fmt.Errorf("%w: a %T is no engine", ErrInvalidOptions, engine)
		}
		if err := e.wait(ctx); err != nil {
			return access.Parts{}, err
		}
		return access.Parts{Store: e.st, Source: e.source, Closing: e.ctx.Done()}, nil
	}
}
