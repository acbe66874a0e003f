package agent_test

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// disk is a durable store whose calls can be made to fail or to wait.
type disk struct {
	plaintext bool
	kind      string // "disk" if empty

	hook func(ctx context.Context, op string) error  // set before the first call
	item func(ctx context.Context, key string) error // the same, for reads only

	mu      sync.Mutex
	secrets map[string]ipc.Secret
	calls   []string
}

func newDisk() *disk { return &disk{secrets: map[string]ipc.Secret{}} }

func (d *disk) Info() ipc.StoreInfo {
	return ipc.StoreInfo{Kind: cmp.Or(d.kind, "disk"), Why: "for tests"}
}

func (*disk) Durable() bool { return true }

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
	if d.item != nil {
		if err := d.item(ctx, key); err != nil {
			return ipc.Secret{}, err
		}
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

// notebook is a ledger in memory, written as a file would be; its err, if set,
// is a full disk.
type notebook struct {
	hook func() // at the start of each Save; set before the first call

	mu   sync.Mutex
	text []byte
	err  error
}

func (n *notebook) Load() (b agent.Book, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.text != nil {
		err = json.Unmarshal(n.text, &b)
	}
	return b, err
}

func (n *notebook) Save(b agent.Book) error {
	if n.hook != nil {
		n.hook()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	text, err := json.Marshal(b)
	n.text = text
	return err
}

func (n *notebook) Missing() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text == nil
}

// full makes the disk full of err, or gives it room again.
func (n *notebook) full(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

// book returns what was written last.
func (n *notebook) book(t *testing.T) agent.Book {
	t.Helper()
	b, err := n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// oracle is a verifier that answers what it is told to; the zero one finds
// every token alive and knows nobody's name.
type oracle struct {
	during func() // while it thinks; set before the first call

	mu      sync.Mutex
	verdict agent.Verdict
	asked   []agent.VerifyRequest
}

func (o *oracle) Verify(_ context.Context, r agent.VerifyRequest) agent.Verdict {
	if o.during != nil {
		o.during()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r)
	if o.verdict.Life == "" {
		return agent.Verdict{Life: agent.Alive}
	}
	return o.verdict
}

// says sets what it answers from now on.
func (o *oracle) says(v agent.Verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.verdict = v
}

// questions returns the requests since it was asked last.
func (o *oracle) questions() []agent.VerifyRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := o.asked
	o.asked = nil
	return asked
}
