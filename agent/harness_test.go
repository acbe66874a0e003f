package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/ipc"
)

const home = "https://a.example.com:443"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A world is an agent with a clock, a store and a codec that tests can turn. No
// secret may be in its log: every secret of these tests begins with "s3cr3t-".
type world struct {
	*agent.Agent
	t     *testing.T
	now   atomic.Int64 // nanoseconds since the epoch
	disk  *disk
	codec *counter

	ledger notebook
	oracle oracle
	log    *journal
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, disk: newDisk(), codec: &counter{Codec: render.Codec{}}, log: &journal{}}
	w.set(noon)
	w.Agent = agent.New(agent.Config{
		Store: w.disk, Ledger: &w.ledger, Verifier: &w.oracle, Codec: w.codec, Version: "test", Socket: "/run/test.sock",
		Now: func() time.Time { return time.Unix(0, w.now.Load()) },
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	t.Cleanup(func() { noSecret(t, "log", w.log.String()) })
	return w
}

func noSecret(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains(text, "s3cr3t") {
		t.Errorf("a secret in the %s:\n%s", where, text)
	}
}

func (w *world) set(now time.Time) { w.now.Store(now.UnixNano()) }

// request is what adds a token of that name, bound to home.
func request(name, secret string) ipc.AddRequest {
	return ipc.AddRequest{
		Name: name, Secret: ipc.NewSecret(secret), Expiry: ipc.ExpiryNever, Servers: []ipc.Server{{URL: home}},
	}
}

func replacing(r ipc.AddRequest) ipc.AddRequest {
	r.Replace = true
	return r
}

func (w *world) add(r ipc.AddRequest) ipc.AddReply {
	w.t.Helper()
	reply, err := w.Add(w.t.Context(), r)
	if err != nil {
		w.t.Fatalf("add %s: %v", r.Name, err)
	}
	return reply
}

// status returns the only line of the status that has that name.
func (w *world) status(name string) ipc.Credential {
	w.t.Helper()
	s, err := w.Status(w.t.Context(), ipc.StatusRequest{Name: name})
	if err != nil || len(s.Credentials) != 1 {
		w.t.Fatalf("status %s: %+v, %v", name, s, err)
	}
	return s.Credentials[0]
}

// ask is a KUBERNETES_EXEC_INFO that names server, or none.
func ask(server string) []byte {
	cluster := ""
	if server != "" {
		b, _ := json.Marshal(server) // a string always marshals
		cluster = `,"cluster":{"server":` + string(b) + `}`
	}
	return []byte(`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false` + cluster + `}}`)
}

// fetch returns the token and its end as client-go reads them; without a token,
// it returns what is said on stderr.
func (w *world) fetch(name, server string) (token string, end time.Time, stderr string) {
	w.t.Helper()
	reply, err := w.Fetch(w.t.Context(), ipc.FetchRequest{Name: name, ExecInfo: ask(server)})
	if err != nil || (reply.Exit == 0) != (len(reply.Stderr) == 0) || (reply.Exit == 0) != (len(reply.Stdout) > 0) {
		w.t.Fatalf("fetch %s: exit %d, %q, %q, %v", name, reply.Exit, reply.Stdout, reply.Stderr, err)
	}
	noSecret(w.t, "lines for stderr", string(reply.Stderr))
	if reply.Exit != 0 {
		return "", time.Time{}, string(reply.Stderr)
	}
	var c v1.ExecCredential
	if err := json.Unmarshal(reply.Stdout, &c); err != nil {
		w.t.Fatal(err)
	}
	return c.Status.Token, c.Status.ExpirationTimestamp.Time, ""
}

// serves wants the next fetch to give out that token.
func (w *world) serves(name, want string) {
	w.t.Helper()
	if got, _, stderr := w.fetch(name, home); got != want {
		w.t.Fatalf("fetch %s: %q, %s; want %q", name, got, stderr, want)
	}
}

// refused wants err to be an *ipc.Error with that code and without a secret.
func refused(t *testing.T, err error, code ipc.Code) *ipc.Error {
	t.Helper()
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%v (%T); want code %d", err, err, code)
	}
	noSecret(t, "error", e.Text())
	return e
}

// disk is a durable store whose calls can be made to fail or to wait.
type disk struct {
	plaintext bool

	hook func(ctx context.Context, op string) error // set before the first call

	mu      sync.Mutex
	secrets map[string]ipc.Secret
	calls   []string
}

func newDisk() *disk { return &disk{secrets: map[string]ipc.Secret{}} }

func (*disk) Info() ipc.StoreInfo { return ipc.StoreInfo{Kind: "disk", Why: "for tests"} }
func (*disk) Durable() bool       { return true }

func (d *disk) Plaintext(context.Context) bool { return d.plaintext }

func (d *disk) begin(ctx context.Context, op string) error {
	if d.hook != nil {
		if err := d.hook(ctx, op); err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.calls = append(d.calls, op)
	d.mu.Unlock()
	return nil
}

func (d *disk) Get(ctx context.Context, key string) (ipc.Secret, error) {
	if err := d.begin(ctx, "get"); err != nil {
		return ipc.Secret{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.secrets[key]
	if !ok {
		return s, agent.ErrNotFound
	}
	return s, nil
}

func (d *disk) Put(ctx context.Context, key string, s ipc.Secret) error {
	if err := d.begin(ctx, "put"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets[key] = s
	return nil
}

func (d *disk) Delete(ctx context.Context, key string) error {
	if err := d.begin(ctx, "delete"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.secrets, key)
	return nil
}

// holds returns what is stored, sorted.
func (d *disk) holds() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []string{}
	for _, s := range d.secrets {
		all = append(all, s.Reveal())
	}
	slices.Sort(all)
	return all
}

// took returns the calls since it was asked last.
func (d *disk) took() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// counter counts the renderings.
type counter struct {
	agent.Codec
	encoded atomic.Int64
}

func (c *counter) Encode(apiVersion string, token ipc.Secret, expires time.Time) ([]byte, error) {
	c.encoded.Add(1)
	return c.Codec.Encode(apiVersion, token, expires)
}

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}
