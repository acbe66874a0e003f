// Package store holds the bodies of agent.Store: where tokens rest. Each says
// what it is and why it was taken; none falls back to another.
package store

import (
	"context"
	"sync"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// Memory keeps secrets for as long as the agent runs. The zero value is ready.
type Memory struct {
	mu      sync.Mutex
	secrets map[string]ipc.Secret
}

var _ agent.Store = (*Memory)(nil)

// Info implements agent.Store.
func (*Memory) Info() ipc.StoreInfo {
	return ipc.StoreInfo{Kind: "memory", Why: "set in the config: tokens are gone when the agent ends", OneHost: true}
}

// Durable implements agent.Store.
func (*Memory) Durable() bool { return false }

// Plaintext implements agent.Store.
func (*Memory) Plaintext(context.Context) bool { return false }

// Get implements agent.Store.
func (m *Memory) Get(_ context.Context, key string) (ipc.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.secrets[key]
	if !ok {
		return ipc.Secret{}, agent.ErrNotFound
	}
	return s, nil
}

// Put implements agent.Store.
func (m *Memory) Put(_ context.Context, key string, s ipc.Secret) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.secrets == nil {
		m.secrets = map[string]ipc.Secret{}
	}
	m.secrets[key] = s
	return nil
}

// Delete implements agent.Store.
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.secrets, key)
	return nil
}
