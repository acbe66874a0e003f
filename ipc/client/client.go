// Package client is the wire body of ipc.Agent: each method is one connection,
// one request, one reply. It is apart from package ipc because the plugin must
// not pay for encoding/json at start-up.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// What a call may take whose context has no deadline. The slow ones ask the
// network and the store.
const (
	Timeout = 10 * time.Second
	Slow    = 40 * time.Second
)

// Client talks to the agent that listens at Path. It keeps no connection and
// may be used by many goroutines.
type Client struct{ Path string }

var _ ipc.Agent = Client{}

// Fetch implements ipc.Agent.
func (c Client) Fetch(ctx context.Context, r ipc.FetchRequest) (ipc.FetchReply, error) {
	return ipc.Fetch(ctx, c.Path, deadline(ctx), r)
}

// Status implements ipc.Agent.
func (c Client) Status(ctx context.Context, r ipc.StatusRequest) (s ipc.Status, err error) {
	_, err = c.call(ctx, ipc.OpStatus, r, ipc.Secret{}, &s)
	return s, err
}

// Add implements ipc.Agent.
func (c Client) Add(ctx context.Context, r ipc.AddRequest) (reply ipc.AddReply, err error) {
	err = c.slow(ctx, ipc.OpAdd, r, r.Secret, &reply)
	return reply, err
}

// AddAll implements ipc.Agent.
func (c Client) AddAll(ctx context.Context, rs []ipc.AddRequest) (replies []ipc.AddReply, err error) {
	var secrets []string
	for _, r := range rs {
		secrets = append(secrets, r.Secret.Reveal())
	}
	err = c.slow(ctx, ipc.OpAddAll, rs, ipc.NewSecret(strings.Join(secrets, "\n")), &replies)
	return replies, err
}

// Forget implements ipc.Agent.
func (c Client) Forget(ctx context.Context, r ipc.ForgetRequest) error {
	_, err := c.call(ctx, ipc.OpForget, r, ipc.Secret{}, nil)
	return err
}

// Token implements ipc.Agent.
func (c Client) Token(ctx context.Context, r ipc.TokenRequest) (ipc.Secret, error) {
	if r.MinLeft > 0 { // it may have to be renewed first
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Slow)
		defer cancel()
	}
	return c.call(ctx, ipc.OpToken, r, ipc.Secret{}, nil)
}

// Keys implements ipc.Agent. It may ask the network, and a verdict about the token
// after that.
func (c Client) Keys(ctx context.Context, r ipc.KeysRequest) (ipc.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, Slow)
	defer cancel()
	return c.call(ctx, ipc.OpKeys, r, ipc.Secret{}, nil)
}

// Verify implements ipc.Agent.
func (c Client) Verify(ctx context.Context, r ipc.VerifyRequest) (reply ipc.VerifyReply, err error) {
	err = c.slow(ctx, ipc.OpVerify, r, ipc.Secret{}, &reply)
	return reply, err
}

// Rotate implements ipc.Agent.
func (c Client) Rotate(ctx context.Context, r ipc.RotateRequest) (reply ipc.RotateReply, err error) {
	err = c.slow(ctx, ipc.OpRotate, r, ipc.Secret{}, &reply)
	return reply, err
}

// Retired implements ipc.Agent.
func (c Client) Retired(ctx context.Context, r ipc.RetiredRequest) (reply ipc.RetiredReply, err error) {
	_, err = c.call(ctx, ipc.OpRetired, r, ipc.Secret{}, &reply)
	return reply, err
}

// Servers implements ipc.Agent.
func (c Client) Servers(ctx context.Context, r ipc.ServersRequest) (cred ipc.Credential, err error) {
	_, err = c.call(ctx, ipc.OpServers, r, ipc.Secret{}, &cred)
	return cred, err
}

// Stores implements ipc.Agent.
func (c Client) Stores(ctx context.Context, r ipc.StoresRequest) (reply ipc.StoresReply, err error) {
	err = c.slow(ctx, ipc.OpStores, r, ipc.Secret{}, &reply)
	return reply, err
}

// Metrics implements ipc.Agent.
func (c Client) Metrics(ctx context.Context, r ipc.MetricsRequest) (reply ipc.MetricsReply, err error) {
	_, err = c.call(ctx, ipc.OpMetrics, r, ipc.Secret{}, &reply)
	return reply, err
}

// Migrate implements ipc.Agent.
func (c Client) Migrate(ctx context.Context, r ipc.MigrateRequest) (reply ipc.MigrateReply, err error) {
	err = c.slow(ctx, ipc.OpMigrate, r, ipc.Secret{}, &reply)
	return reply, err
}

// Lock implements ipc.Agent.
func (c Client) Lock(ctx context.Context, r ipc.LockRequest) error {
	return c.slow(ctx, ipc.OpLock, r, r.Passphrase, nil)
}

// Unlock implements ipc.Agent.
func (c Client) Unlock(ctx context.Context, r ipc.UnlockRequest) (reply ipc.UnlockReply, err error) {
	err = c.slow(ctx, ipc.OpUnlock, r, r.Passphrase, &reply)
	return reply, err
}

// Leave implements ipc.Agent.
func (c Client) Leave(ctx context.Context, r ipc.LeaveRequest) error {
	return c.slow(ctx, ipc.OpLeave, r, ipc.Secret{}, nil)
}

// slow is call for what may ask network and store, and gives no secret back.
func (c Client) slow(ctx context.Context, op ipc.Op, req any, secret ipc.Secret, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, Slow)
	defer cancel()
	_, err := c.call(ctx, op, req, secret, reply)
	return err
}

// call sends req and a secret, decodes the reply into reply unless that is nil,
// and returns the secret that came with it.
func (c Client) call(ctx context.Context, op ipc.Op, req any, secret ipc.Secret, reply any) (ipc.Secret, error) {
	if err := ctx.Err(); err != nil {
		return ipc.Secret{}, err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return ipc.Secret{}, fmt.Errorf("encode request: %w", err)
	}
	f, err := ipc.Call(ctx, c.Path, deadline(ctx), op, [3][]byte{body, []byte(secret.Reveal())})
	if err != nil {
		return ipc.Secret{}, err
	}
	if reply != nil {
		if err := json.Unmarshal(f.Parts[0], reply); err != nil {
			return ipc.Secret{}, fmt.Errorf("decode reply: %w", err)
		}
	}
	return ipc.NewSecret(string(f.Parts[1])), nil
}

func deadline(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok {
		return d
	}
	return time.Now().Add(Timeout)
}
