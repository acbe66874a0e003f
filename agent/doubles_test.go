package agent_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

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

// Lock and Changed: it is one agent's alone.
func (*notebook) Lock(context.Context) (func(), error) { return func() {}, nil }

func (*notebook) Changed() (bool, error) { return false, nil }

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
	about   map[string]agent.Verdict // of tokens about which it knows better
	asked   []agent.VerifyRequest
}

func (o *oracle) Verify(_ context.Context, r agent.VerifyRequest) agent.Verdict {
	if o.during != nil {
		o.during()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r)
	if v, ok := o.about[r.Token.Reveal()]; ok {
		return v
	}
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

// knows sets what it answers about one token from now on.
func (o *oracle) knows(token string, v agent.Verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.about == nil {
		o.about = map[string]agent.Verdict{}
	}
	o.about[token] = v
}

// questions returns the requests since it was asked last.
func (o *oracle) questions() []agent.VerifyRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := o.asked
	o.asked = nil
	return asked
}

// tap is a source that gives what it is told to; the zero one gives tokens that
// live for an hour, named after the credential and counted.
type tap struct {
	life time.Duration                                                              // of its tokens; an hour if zero
	next func(ctx context.Context, n int, usual agent.Minted) (agent.Minted, error) // in place of what it would give as its nth; set before the first call

	mu    sync.Mutex
	asked []time.Time
	busy  *gauge // counts those that are asked at once; may be shared
}

func (*tap) Kind() string { return "tap" }

func (s *tap) Next(ctx context.Context, o agent.Occasion) (agent.Minted, error) {
	defer s.busy.enter()()
	s.mu.Lock()
	s.asked = append(s.asked, time.Now())
	n := len(s.asked)
	s.mu.Unlock()
	usual := agent.Minted{
		Secret: ipc.NewSecret(fmt.Sprintf("s3cr3t-%s-%d", o.Credential, n)), Expiry: ipc.ExpiryKnown,
		Expires: time.Now().Add(cmp.Or(s.life, time.Hour)),
	}
	if s.next != nil {
		return s.next(ctx, n, usual)
	}
	return usual, nil
}

// times returns when it was asked.
func (s *tap) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// gauge knows how many there were at most at once. A nil one does not count.
type gauge struct {
	mu        sync.Mutex
	now, most int
}

func (g *gauge) enter() (leave func()) {
	if g == nil {
		return func() {}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now++
	g.most = max(g.most, g.now)
	return func() { g.mu.Lock(); g.now--; g.mu.Unlock() }
}

// wants checks how many there are, and that there were no more at once than that.
func (g *gauge) wants(t *testing.T, now, most int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now != now || g.most > most {
		t.Errorf("%d sources are being asked, want %d; at most %d at once, want %d", g.now, now, g.most, most)
	}
}
