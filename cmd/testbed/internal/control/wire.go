package control

import (
	"errors"
	"time"
)

// Info is where the servers listen.
type Info struct {
	StandIn string   `json:"standIn"`
	Servers []string `json:"servers"`
	PID     int      `json:"pid"`
}

// MintRequest orders a token; see cloud.Order for what may be left empty.
type MintRequest struct {
	Name     string        `json:"name"`
	UID      string        `json:"uid"`
	OrgUID   string        `json:"orgUid"`
	Lifetime time.Duration `json:"lifetime"`
	Servers  int           `json:"servers"`
}

// MintReply is the Console's page for a new token. It is the one place where a secret is plain text on purpose.
type MintReply struct {
	Secret     string `json:"secret"`
	Kubeconfig []byte `json:"kubeconfig"`
	FileName   string `json:"fileName"`
}

// RevokeReply has the public ids that are dead now.
type RevokeReply struct {
	IDs []string `json:"ids"`
}

type failure struct {
	Error string `json:"error"`
}

// Hinted is an error that knows what to do about it.
type Hinted struct {
	Err  error
	Hint string
}

func (h *Hinted) Error() string { return h.Err.Error() }
func (h *Hinted) Unwrap() error { return h.Err }

// ErrNotRunning is for a folder in which no testbed is up.
var ErrNotRunning = errors.New("no testbed is up there")
