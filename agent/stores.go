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
	decided, kind := a.book.Store != "", a.Store.Info().Kind
	done()
	reply := ipc.StoresReply{Stores: []ipc.StoreInfo{a.storeInfo(ctx, true)}, Decided: decided}
	for _, s := range a.stores.all {
		info := s.Info()
		if info.Kind == kind {
			continue
		}
		look, cancel := context.WithTimeout(ctx, inspection)
		if err := lookAt(look, s); err != nil {
			info.Trouble = err.Error()
		}
		cancel()
		reply.Stores = append(reply.Stores, info)
	}
	return reply, nil
}
