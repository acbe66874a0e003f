package agent_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

// The law. What the agent could not know, or could not do because of something
// that went wrong, is no breach of it; for how long that may have its effects is
// said here.
const (
	// heed is how long after a verdict the token may still be given out: the turn
	// to change may be somebody else's, who waits for a slow store.
	heed = 20 * time.Second

	// heal is how long after a fault a request may still get nothing where there
	// is something to be had: who says no is asked every 30 s at most.
	heal = 40 * time.Second

	// tidy is how long after a fault what could not be saved is: it is tried
	// again once a minute.
	tidy = 80 * time.Second
)

// A visit is one fetch of one caller, and what came of it.
type visit struct {
	grant // what it got; nothing if its secret is empty
	l     *incarnation
	end   time.Time
}

// refused reports whether a server refuses what the caller got.
func (s *simulation) refuses(v visit) bool { return v.secret != "" && !s.cloud.alive(v.grant, 0) }

// fetch is a request for a token. ok is false if there is no agent that could be
// held to its answer.
func (s *simulation) fetch(c role, parent peer.Process, again ...bool) (v visit, ok bool) {
	l := s.living()
	if l == nil {
		s.count("no agent")
		return v, false
	}
	jumps, began := s.jumps.Load(), time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	reply, err := l.Fetch(peer.NewContext(ctx, peer.Peer{Parent: parent}), ipc.FetchRequest{Name: c.name, ExecInfo: askHome})
	if l.ended() {
		s.count("cut off")
		return v, false
	}
	if took := time.Since(began); took > 1600*time.Millisecond {
		s.breach(l, "fetch %s took %v", c.name, took)
	}
	if reply.Exit != 0 || err != nil {
		s.count("got nothing")
		noSecret(s.t, "lines for stderr", string(reply.Stderr))
		s.nothing(l, c, string(reply.Stderr), len(again) > 0)
		return visit{l: l}, true
	}
	s.count("fetches")
	var e v1.ExecCredential
	if err := json.Unmarshal(reply.Stdout, &e); err != nil {
		s.breach(l, "fetch %s: %v", c.name, err)
	}
	v = visit{l: l, end: e.Status.ExpirationTimestamp.Time}
	v.grant, _ = s.cloud.find(e.Status.Token)
	s.something(v, c, jumps == s.jumps.Load())
	return v, true
}

// something holds an answer with a token to the law: it is the credential's, has
// not ended, and is not one that the agent knows to be refused.
func (s *simulation) something(v visit, c role, steady bool) {
	if v.of != c.name {
		s.breach(v.l, "fetch %s: the token of %q", c.name, v.of)
	}
	if now := s.wall(); steady && (!now.Before(v.ends) || !v.end.Before(v.ends)) {
		s.breach(v.l, "fetch %s: %s at %v, to be used until %v; it ends at %v", c.name, v.secret, now, v.end, v.ends)
	}
	v.l.mu.Lock()
	defer v.l.mu.Unlock()
	if since, known := v.l.refused[v.secret]; known && time.Since(since) > heed {
		s.breach(v.l, "fetch %s: %s, known to be refused for %v", c.name, v.secret, time.Since(since))
	}
	if v.owner != ada {
		s.count("of an owner that nobody could tell")
		if !s.cloud.doubted(v.secret) {
			s.breach(v.l, "fetch %s: %s is another owner's, and nobody ever doubted that", c.name, v.secret)
		}
	}
	v.l.given[c.name] = gift{v.grant, time.Now()}
}

// blind are the faults that keep nothing from being given: what there is takes
// over without a verdict and without being saved.
var blind = []fault{netDown, verifierHangs, garbled, nameless, bookFull, bookLate}

// nothing holds an answer without a token to the law: whatever is wrong outside,
// the token that was given out last is given out as long as it lives, unless one
// that came later has died, or a person went back to one that has, or it turned
// out to be another owner's; and where
// nothing was wrong lately, whatever is alive and can be had is given. Where only
// the network or the ledger is, that may take until the caller asks once more.
func (s *simulation) nothing(l *incarnation, c role, stderr string, again bool) {
	l.mu.Lock()
	last := l.given[c.name]
	l.mu.Unlock()
	if last.secret != "" && last.owner == ada && s.cloud.alive(last.grant, 3*time.Second) && !s.diedSince(last) {
		s.breach(l, "fetch %s: nothing, while %s, which it gave out %v ago, is alive until %v: %s", c.name, last.secret, time.Since(last.at), last.ends, stderr)
		return
	}
	but := blind
	if !again {
		but = nil
	}
	if s.weather.quiet(c.name, but...) < heal || time.Since(l.born) < heal {
		return
	}
	if c.source {
		s.breach(l, "fetch %s: nothing, and its source is willing: %s", c.name, stderr)
	}
	for _, g := range s.held(l, c) {
		if s.cloud.alive(g, 5*time.Second) && !s.isDone(g) {
			s.breach(l, "fetch %s: nothing, and it holds %s: %s", c.name, g.secret, stderr)
		}
	}
}

func (s *simulation) isDone(g grant) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done[g.secret]
}

// diedSince reports whether a token that came after that one is not alive.
func (s *simulation) diedSince(last gift) bool {
	all := s.cloud.all(last.of)
	return slices.ContainsFunc(all, func(g grant) bool {
		return !g.made.Before(last.made) && g.secret != last.secret && !s.cloud.alive(g, 0)
	})
}

// held are the tokens of a credential that its agent has: those in its ledger
// that it may use, and those that came in this life and are not saved.
func (s *simulation) held(l *incarnation, c role) (all []grant) {
	keys := map[string]bool{}
	for _, r := range s.ledger.book(s.t).Credentials {
		for _, t := range slices.Concat([]agent.Token{r.Token}, r.Standby, r.Previous) {
			if r.Name == c.name && t.Refused == "" {
				keys[t.Key] = true
			}
		}
	}
	for key, secret := range s.disk.copy() {
		if g, ok := s.cloud.find(secret); ok && keys[key] {
			all = append(all, g)
		}
	}
	if g, ok := s.cloud.newest(c.name); ok && g.seen && !g.made.Before(l.born) {
		all = append(all, g)
	}
	return all
}

// deletes holds a deletion in the store to the law: the ledger has no use for it.
func (s *simulation) deletes(l *incarnation, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if keysOf(s.book)[key] {
		s.breach(l, "deleted %q, which the ledger has", key)
	}
}

// writes holds a new ledger to the law: what it has is in the store, and what was
// said to be saved stays until it has ended, or a person is done with it, or it is
// one of too many.
func (s *simulation) writes(l *incarnation, b agent.Book) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, is, stored := keysOf(s.book), keysOf(b), s.disk.copy()
	again := map[string]bool{} // one token may be there twice
	for key := range is {
		secret, ok := stored[key]
		if again[secret] = true; !ok {
			s.breach(l, "the ledger has %q, the store has not", key)
		}
	}
	for key := range was {
		secret := stored[key]
		if is[key] || !s.saved[secret] || s.done[secret] || again[secret] {
			continue
		}
		name, _, _ := strings.Cut(key, " ")
		if g, _ := s.cloud.find(secret); s.wall().Add(2*time.Second).Before(g.ends) && keptOf(b, name) < 4 {
			s.breach(l, "%s is lost: it was saved and lives until %v", secret, g.ends)
		}
	}
	s.book = b
}

// keysOf are the keys of the tokens in a book.
func keysOf(b agent.Book) map[string]bool {
	keys := map[string]bool{}
	for _, r := range b.Credentials {
		for _, t := range slices.Concat([]agent.Token{r.Token}, r.Standby, r.Previous) {
			if t.Key != "" {
				keys[t.Key] = true
			}
		}
	}
	return keys
}

// keptOf is how many tokens that gave way a book keeps of a credential.
func keptOf(b agent.Book, name string) (n int) {
	for _, r := range b.Credentials {
		for _, t := range r.Previous {
			if r.Name == name && t.Key != "" {
				n++
			}
		}
	}
	return n
}

// audit holds what is said of saving to the law, and remembers it.
func (s *simulation) audit(c role) {
	l := s.living()
	if l == nil {
		return
	}
	look := func() (ipc.Credential, bool) {
		st, err := l.Status(context.Background(), ipc.StatusRequest{Name: c.name})
		if err != nil || l.ended() {
			return ipc.Credential{}, false
		}
		return st.Credentials[0], true
	}
	before, ok := look()
	token, err := l.Token(context.Background(), ipc.TokenRequest{Name: c.name})
	after, still := look()
	if !ok || !still || err != nil || before.Revision != after.Revision {
		return
	}
	if before.Saved && after.Saved {
		s.mu.Lock()
		s.saved[token.Reveal()] = true
		s.mu.Unlock()
		return
	}
	fine := func() bool {
		return s.weather.quiet(c.name) > tidy && time.Since(l.born) > tidy && s.weather.since(spell{alarmLate, ""}) > latest
	}
	if c.brief || !fine() {
		return
	}
	time.Sleep(10 * time.Second) // it may have come this instant
	if now, ok := look(); ok && now.Revision == before.Revision && !now.Saved && fine() {
		s.breach(l, "%s: not saved, and nothing is wrong: %s", c.name, now.Unsaved)
	}
}
