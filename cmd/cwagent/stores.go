package main

import (
	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
)

// allStores returns the stores that there are, the one that the config names first;
// "auto" tries them in this order when the first token comes. One in memory is there
// only if it is named.
func allStores(name config.Store, state string, keep func(ipc.Secret) ipc.Secret) []agent.Store {
	why := func(kind config.Store) string {
		switch name {
		case config.StoreAuto:
			return "auto"
		case kind:
			return "set in the config"
		}
		return ""
	}
	ring := store.NewKeyring(store.KeyringConfig{Why: why(config.StoreKeyring)})
	file := store.NewFile(store.FileConfig{Dir: store.FileFolder(state), Why: why(config.StoreFile), Keep: keep})
	switch name {
	case config.StoreMemory:
		return []agent.Store{&store.Memory{}, ring, file}
	case config.StoreFile:
		return []agent.Store{file, ring}
	}
	return []agent.Store{ring, file}
}
