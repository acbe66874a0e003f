package agent_test

import (
	"context"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

// calls has callers come for tokens.
func (s *simulation) calls(c role, d *dice) {
	watcher := s.process() // one like k9s, which stays
	var last visit
	for s.weather.pause(d.about(c.every)) {
		parent := s.process()
		if d.below(4) == 0 {
			if last.l != nil && s.wall().Before(last.end) && !s.refuses(last) {
				continue // what it has will do
			}
			parent = watcher
		}
		v, ok := s.fetch(c, parent)
		if ok && v.secret == "" {
			time.Sleep(3 * time.Second)
			v, ok = s.fetch(c, parent, true)
		}
		if ok && parent == watcher {
			last = v
		}
		for n := d.below(4); ok && n > 0 && s.refuses(v); n-- {
			v, ok = s.comeBack(c, parent, v)
		}
	}
}

// comeBack is what kubectl does when it was refused with what it got. It does not
// get the same once more, where the agent could find out.
func (s *simulation) comeBack(c role, parent peer.Process, was visit) (visit, bool) {
	s.count("came back")
	early := s.wall().Before(was.end)
	s.mu.Lock()
	free := time.Since(s.suspected[c.name]) > 31*time.Second
	if early {
		s.suspected[c.name] = time.Now()
	}
	s.mu.Unlock()
	v, ok := s.fetch(c, parent)
	if ok && early && free && v.l == was.l && v.secret == was.secret && s.weather.quiet(c.name, revoked) > heal && time.Since(v.l.born) > heal {
		s.breach(v.l, "fetch %s: %s again, which is refused", c.name, v.secret)
	}
	return v, ok
}

// person does something that a person does, unless the agent dies of it.
func (s *simulation) person(f func(ctx context.Context, l *incarnation)) {
	l := s.living()
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, _ = mortal(func() error { f(ctx, l); return nil })
}

// tends is a person who looks after a credential that has no source.
func (s *simulation) tends(c role, d *dice) {
	for s.weather.pause(d.about(c.look)) {
		s.person(func(ctx context.Context, l *incarnation) { s.tend(ctx, l, c) })
	}
}

// tend brings a credential the token that it needs.
func (s *simulation) tend(ctx context.Context, l *incarnation, c role) {
	r := ipc.AddRequest{Name: c.name, Expiry: ipc.ExpiryKnown, Servers: []ipc.Server{{URL: home}}, Ephemeral: c.brief}
	st, err := l.Status(ctx, ipc.StatusRequest{Name: c.name})
	switch {
	case err != nil: // not there yet
	case c.pool && stock(st.Credentials[0]) < 2:
		r.Standby = true
	case st.Credentials[0].State == ipc.StateValid || st.Credentials[0].State == ipc.StateLocked:
		return
	default:
		r.Replace = true
	}
	g := s.cloud.mint(c.name, ada, c.life)
	r.Secret, r.Expires, r.ID = ipc.NewSecret(g.secret), &g.ends, "cwtoken-"+strings.TrimPrefix(g.secret, "s3cr3t-")
	reply, err := l.Add(ctx, r)
	if err != nil {
		s.count("adds in vain")
		s.cloud.revoke(g.secret) // the person makes another one
		return
	}
	s.cloud.hand(g.secret)
	s.count("adds")
	if kept := reply.Credential.Saved || r.Standby; kept && !c.brief && !l.ended() {
		s.mu.Lock()
		s.saved[g.secret] = true
		s.mu.Unlock()
	}
}

// stock is how many tokens wait.
func stock(c ipc.Credential) (n int) {
	for _, t := range c.Standby {
		if t.Refused == "" {
			n++
		}
	}
	return n
}

// commands are given at random.
func (s *simulation) commands(d *dice) {
	for s.weather.pause(d.about(3 * time.Hour)) {
		c := cast[d.below(len(cast))]
		s.person(func(ctx context.Context, l *incarnation) {
			switch d.below(6) {
			case 0:
				_, _ = l.Verify(ctx, ipc.VerifyRequest{Name: c.name})
			case 1, 2:
				if _, err := l.Rotate(ctx, ipc.RotateRequest{Name: c.name}); err == nil {
					s.count("rotations")
				}
			case 3:
				if _, err := l.Rotate(ctx, ipc.RotateRequest{Name: c.name, Rollback: true}); err == nil {
					s.count("rollbacks")
				}
				l.mu.Lock() // one that ends before the one that was given last
				delete(l.given, c.name)
				l.mu.Unlock()
			case 4:
				s.doneWith(ctx, l, d)
			case 5:
				s.reload(ctx, l, c, d)
			}
		})
	}
}

// doneWith takes one of the tokens that gave way from the list.
func (s *simulation) doneWith(ctx context.Context, l *incarnation, d *dice) {
	list, err := l.Retired(ctx, ipc.RetiredRequest{})
	if err != nil || len(list.Tokens) == 0 {
		return
	}
	t := list.Tokens[d.below(len(list.Tokens))]
	s.mu.Lock()
	s.done["s3cr3t-"+strings.TrimPrefix(t.ID, "cwtoken-")] = true
	for key, secret := range s.disk.copy() {
		if strings.HasSuffix(key, t.Label) {
			s.done[secret] = true
		}
	}
	s.mu.Unlock()
	if _, err := l.Retired(ctx, ipc.RetiredRequest{Done: t.Label}); err == nil {
		s.count("done with")
	}
}

// reload takes a source away and gives it back.
func (s *simulation) reload(ctx context.Context, l *incarnation, c role, d *dice) {
	concerns := spell{reloaded, c.name}
	s.weather.begin(concerns)
	defer s.weather.end(concerns)
	_ = l.Configure(ctx, l.settings(c.name))
	s.weather.pause(d.between(time.Second, 10*minute))
	ctx, cancel := context.WithTimeout(context.Background(), 5*minute)
	defer cancel()
	if err := l.Configure(ctx, l.settings("")); err != nil && !l.ended() {
		s.breach(l, "the config cannot be put back: %v", err)
	}
}
