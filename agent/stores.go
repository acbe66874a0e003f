package agent

import (
	"context"

	"github.com/cwagent/cwagent/ipc"
)

// Stores implements ipc.Agent.
func (a *Agent) Stores(ctx context.Context, _ ipc.StoresRequest) (ipc.StoresReply, error) {
	done, err := a.changing(ctx)
	if err != nil {
		return ipc.StoresReply{}, err
	}
	reply := ipc.StoresReply{Decided: a.book.Store != ""}
	done()
	first := a.storeInfo(ctx, true)
	if first.Trouble == "" && !a.uses() { // it has not been asked
		first = inspected(ctx, a.stores.is())
	}
	reply.Stores = append(reply.Stores, first)
	for _, s := range a.stores.all {
		if s.Info().Kind != first.Kind {
			reply.Stores = append(reply.Stores, inspected(ctx, s))
		}
	}
	return reply, nil
}

// inspected asks a store how it is.
func inspected(ctx context.Context, s Store) ipc.StoreInfo {
	ctx, cancel := context.WithTimeout(ctx, inspection)
	defer cancel()
	info := s.Info()
	if err := lookAt(ctx, s); err != nil {
		info.Trouble = err.Error()
	}
	return info
}

// decideStore decides which store is used, where no token rests in any.
func (a *Agent) decideStore(ctx context.Context, creds []*credential) error {
	if a.book.Store != "" || !a.Auto {
		return nil
	}
	for _, c := range creds {
		for _, t := range c.unstored() {
			return a.stores.choose(ctx, t.key, t.secret)
		}
	}
	return nil
}
