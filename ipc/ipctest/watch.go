package ipctest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// marker begins every token of the suite: wherever else it turns up, a secret
// has leaked.
const marker = "CW-SECRET-conform"

// watched looks for secrets in whatever an agent returns in which none belongs.
type watched struct {
	ipc.Agent
	t testing.TB
}

func (w watched) look(where string, v any, err error) {
	w.t.Helper()
	text := ""
	if err != nil {
		text = err.Error()
		if e, ok := err.(*ipc.Error); ok {
			text = e.Text()
		}
	}
	b, jsonErr := json.Marshal(v)
	if jsonErr != nil {
		w.t.Errorf("%s: encode the reply: %v", where, jsonErr)
	}
	if text += string(b); strings.Contains(text, marker) {
		w.t.Errorf("%s shows a secret: %s", where, text)
	}
}

func (w watched) Fetch(ctx context.Context, r ipc.FetchRequest) (ipc.FetchReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Fetch(ctx, r)
	w.look("fetch", string(reply.Stderr), err)
	return reply, err
}

func (w watched) Status(ctx context.Context, r ipc.StatusRequest) (ipc.Status, error) {
	w.t.Helper()
	reply, err := w.Agent.Status(ctx, r)
	w.look("status", reply, err)
	return reply, err
}

func (w watched) Add(ctx context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Add(ctx, r)
	w.look("add", reply, err)
	return reply, err
}

func (w watched) AddAll(ctx context.Context, rs []ipc.AddRequest) ([]ipc.AddReply, error) {
	w.t.Helper()
	replies, err := w.Agent.AddAll(ctx, rs)
	w.look("add all", replies, err)
	return replies, err
}

func (w watched) Forget(ctx context.Context, r ipc.ForgetRequest) error {
	w.t.Helper()
	err := w.Agent.Forget(ctx, r)
	w.look("forget", nil, err)
	return err
}

func (w watched) Stores(ctx context.Context, r ipc.StoresRequest) (ipc.StoresReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Stores(ctx, r)
	w.look("stores", reply, err)
	return reply, err
}

func (w watched) Metrics(ctx context.Context, r ipc.MetricsRequest) (ipc.MetricsReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Metrics(ctx, r)
	w.look("metrics", reply, err)
	return reply, err
}

func (w watched) Migrate(ctx context.Context, r ipc.MigrateRequest) (ipc.MigrateReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Migrate(ctx, r)
	w.look("migrate", reply, err)
	return reply, err
}

func (w watched) Lock(ctx context.Context, r ipc.LockRequest) error {
	w.t.Helper()
	err := w.Agent.Lock(ctx, r)
	w.look("lock", nil, err)
	return err
}

func (w watched) Unlock(ctx context.Context, r ipc.UnlockRequest) (ipc.UnlockReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Unlock(ctx, r)
	w.look("unlock", reply, err)
	return reply, err
}

func (w watched) Leave(ctx context.Context, r ipc.LeaveRequest) error {
	w.t.Helper()
	err := w.Agent.Leave(ctx, r)
	w.look("leave", nil, err)
	return err
}

func (w watched) Token(ctx context.Context, r ipc.TokenRequest) (ipc.Secret, error) {
	w.t.Helper()
	reply, err := w.Agent.Token(ctx, r)
	w.look("token", reply, err) // as JSON it is redacted
	return reply, err
}

func (w watched) Keys(ctx context.Context, r ipc.KeysRequest) (ipc.Secret, error) {
	w.t.Helper()
	reply, err := w.Agent.Keys(ctx, r)
	w.look("keys", reply, err)
	return reply, err
}

func (w watched) Verify(ctx context.Context, r ipc.VerifyRequest) (ipc.VerifyReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Verify(ctx, r)
	w.look("verify", reply, err)
	return reply, err
}

func (w watched) Rotate(ctx context.Context, r ipc.RotateRequest) (ipc.RotateReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Rotate(ctx, r)
	w.look("rotate", reply, err)
	return reply, err
}

func (w watched) Retired(ctx context.Context, r ipc.RetiredRequest) (ipc.RetiredReply, error) {
	w.t.Helper()
	reply, err := w.Agent.Retired(ctx, r)
	w.look("retired", reply, err)
	return reply, err
}

func (w watched) Servers(ctx context.Context, r ipc.ServersRequest) (ipc.Credential, error) {
	w.t.Helper()
	reply, err := w.Agent.Servers(ctx, r)
	w.look("servers", reply, err)
	return reply, err
}
