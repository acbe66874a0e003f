package agent

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Counts are how often things have happened since the agent began. They are for
// metrics: every value is one of a few words of ours, or the name of a credential
// that there is, so that no caller can make them many.
type Counts struct {
	Fetches       []Count // by credential, empty where nobody has that name, and result
	Rotations     []Count // by where the token came from
	NoNext        []Count // attempts that brought no next token, by class
	Verifications []Count // by verdict
	StoreErrors   []Count // by operation and answer
}

// A Count is one of them, with the values of its labels, in order.
type Count struct {
	Values []string
	N      uint64
}

// Measure is how the agent is, without a question to anybody, what has happened, and
// until when that is so at most if nothing else happens; zero: for ever.
func (a *Agent) Measure(ctx context.Context) (s ipc.Status, n Counts, until time.Time) {
	s, _ = a.Status(ctx, ipc.StatusRequest{}) // which fails for a name only
	n = Counts{
		Rotations: a.rotations.list(), NoNext: a.noNext.list(), Verifications: a.verdicts.list(),
		StoreErrors: a.stores.errors.list(),
		Fetches:     []Count{{[]string{"", "not_found"}, a.nobody.Load()}},
	}
	creds, now := a.all(), a.Now()
	slices.SortFunc(creds, func(x, y *credential) int { return cmp.Compare(x.name, y.name) })
	for _, c := range creds {
		n.Fetches = append(n.Fetches, c.vigil.fetches.list(c.name)...)
		until = Sooner(until, a.decide(c, now).next)
	}
	return s, n, until
}

// Metrics implements ipc.Agent.
func (a *Agent) Metrics(ctx context.Context, _ ipc.MetricsRequest) (ipc.MetricsReply, error) {
	s, n, _ := a.Measure(ctx)
	return ipc.MetricsReply{Text: string(a.Expose(s, n))}, nil
}

// A result is how a fetch of a credential ended.
type result int

const (
	resultGiven result = iota
	resultMalformed
	resultNotBound
	resultExpired
	resultRefused
	resultLocked
	resultEmpty
	resultRenewing
	resultOther
	results int = iota
)

var resultWords = [results]string{"given", "malformed", "not_bound", "expired", "refused", "locked", "empty", "renewing", "other"}

// fetchCounts are on the request path: one atomic addition a fetch.
type fetchCounts [results]atomic.Uint64

func (f *fetchCounts) add(r result) { f[r].Add(1) }

func (f *fetchCounts) list(name string) (all []Count) {
	for i := range f {
		all = append(all, Count{[]string{name, resultWords[i]}, f[i].Load()})
	}
	return all
}

var resultOf = map[ipc.Code]result{
	ipc.CodeMalformed: resultMalformed, ipc.CodeInvalid: resultMalformed, ipc.CodeNotBound: resultNotBound, ipc.CodeExpired: resultExpired,
	ipc.CodeRefused: resultRefused, ipc.CodeLocked: resultLocked, ipc.CodeEmpty: resultEmpty, ipc.CodeRenewing: resultRenewing,
}

// notGiven counts a fetch that ended without a token.
func (a *Agent) notGiven(name string, code ipc.Code) {
	c, err := a.lookup(name)
	if err != nil {
		a.nobody.Add(1)
		return
	}
	r, ok := resultOf[code]
	if !ok {
		r = resultOther
	}
	c.vigil.fetches.add(r)
}

// A tally counts what is not on the request path.
type tally struct {
	mu sync.Mutex
	n  map[[2]string]uint64
}

// newTally is one that has these from the beginning: a rate misses the first of what
// was not there.
func newTally(words ...string) *tally {
	t := &tally{n: map[[2]string]uint64{}}
	for _, w := range words {
		t.n[[2]string{w}] = 0
	}
	return t
}

func (t *tally) add(word, second string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n[[2]string{word, second}]++
}

func (t *tally) list() (all []Count) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range slices.SortedFunc(maps.Keys(t.n), func(x, y [2]string) int { return slices.Compare(x[:], y[:]) }) {
		all = append(all, Count{k[:], t.n[k]})
	}
	return all
}

// counted is a Verifier whose verdicts are counted.
type counted struct {
	Verifier
	verdicts *tally
}

// Verify implements Verifier.
func (c counted) Verify(ctx context.Context, r VerifyRequest) Verdict {
	v := c.Verifier.Verify(ctx, r)
	c.verdicts.add(string(v.Life), "")
	return v
}

// storeErrors counts the calls of stores that fail.
type storeErrors struct{ tally }

func newStoreErrors() *storeErrors {
	e := &storeErrors{tally{n: map[[2]string]uint64{}}}
	for _, operation := range []string{"get", "put", "delete"} {
		for _, answer := range []string{"not_found", "locked", "refused", "absent", "other"} {
			e.n[[2]string{operation, answer}] = 0
		}
	}
	return e
}

// note counts err unless it is nil or the caller's own giving up, and returns it.
func (e *storeErrors) note(operation string, err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
	case errors.Is(err, ErrNotFound):
		e.add(operation, "not_found")
	case errors.Is(err, ErrLocked):
		e.add(operation, "locked")
	case errors.Is(err, ErrRefused):
		e.add(operation, "refused")
	case outage(err):
		e.add(operation, "absent")
	default:
		e.add(operation, "other")
	}
	return err
}
