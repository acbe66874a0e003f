package agent

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Settings are what the person has written down about credentials. They may
// change while the agent runs; see Agent.Configure.
type Settings struct {
	Policy      Policy
	Credentials map[string]Setting // by name

	// Trouble is why what is written down now is not in force: the settings are
	// then those of the last good version.
	Trouble string
}

// A Setting overrides what the agent has learnt about one credential. To take it
// away takes the override away, never a token.
type Setting struct {
	Servers []ipc.Server // canonical; nil: those that it has learnt
	CAs     [][]byte     // PEM, of those servers
	Source  Source       // nil: a person brings the next token; comparable
}

// Configure puts s in force. A name with a source becomes a credential, which
// the source fills; no token is ever taken away.
func (a *Agent) Configure(ctx context.Context, s Settings) error {
	done, err := a.changing(ctx)
	if err != nil {
		return err
	}
	defer done()
	a.mu.Lock()
	a.rules = s
	a.mu.Unlock()
	a.override()
	return nil
}

// NoteTrouble says that what is written down now is not in force, and why.
func (a *Agent) NoteTrouble(why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rules.Trouble = why
}

// override applies the settings to every credential. The caller is the one who
// may change.
func (a *Agent) override() {
	a.mu.RLock()
	settings := a.rules.Credentials
	a.mu.RUnlock()
	known := map[string]bool{}
	for _, c := range a.all() {
		known[c.name] = true
		set := settings[c.name]
		if set.Source == nil && c.blank() {
			a.drop(c)
			continue
		}
		if c.setting.equal(set) {
			continue // requests get what they got
		}
		next := c.clone()
		if c.setting.Source != set.Source {
			next.pending, next.renewal = nil, renewal{}
		}
		next.setting = set
		next.settle()
		a.put(next)
	}
	for name, set := range settings {
		if !known[name] && set.Source != nil {
			c := &credential{name: name, setting: set, vigil: &vigil{}, bunch: &bunch{}}
			c.token.expiry = ipc.ExpiryUnknown
			a.put(c)
		}
	}
	select {
	case a.resettled <- struct{}{}:
	default:
	}
}

func (s Setting) equal(t Setting) bool {
	return s.Source == t.Source && (s.Servers == nil) == (t.Servers == nil) && slices.Equal(s.Servers, t.Servers) &&
		slices.EqualFunc(s.CAs, t.CAs, bytes.Equal)
}

// settingOf is what the settings in force say about a name.
func (a *Agent) settingOf(name string) Setting {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.rules.Credentials[name]
}

// blank reports whether c is there because of the config only: it never had a
// token.
func (c *credential) blank() bool {
	return c.token.added.IsZero() && c.token.key == "" && len(c.standby)+len(c.previous) == 0
}

// drop forgets a credential that is nowhere but in memory.
func (a *Agent) drop(c *credential) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if was := a.creds[c.name]; was != nil {
		close(was.over)
		delete(a.creds, c.name)
	}
	if a.Changed != nil {
		a.Changed()
	}
}

// source says where the next token of c comes from.
func (c *credential) source(now time.Time) string {
	switch {
	case c.setting.Source != nil:
		return c.setting.Source.Kind()
	case slices.ContainsFunc(c.standby, func(t token) bool { return !expired(now, t) }):
		return fromStandby
	}
	return fromPerson
}

// watchSources has those sources watched that notice by themselves when they
// have something new, until ctx ends. What they had when nobody watched them is
// looked at first.
func (a *Agent) watchSources(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	type watching struct {
		source Watcher
		stop   func()
	}
	now := map[string]watching{}
	for {
		want := map[string]Watcher{}
		for _, c := range a.all() {
			if w, ok := c.setting.Source.(Watcher); ok {
				want[c.name] = w
			}
		}
		for name, w := range now {
			if want[name] != w.source {
				w.stop()
				delete(now, name)
			}
		}
		for name, source := range want {
			if now[name].source == nil {
				sub, stop := context.WithCancel(ctx)
				now[name] = watching{source, stop}
				changed := func() { a.revise(name, func(next *credential) { next.news = true }) }
				wg.Go(func() { changed(); source.Watch(sub, changed) })
			}
		}
		select {
		case <-a.resettled:
		case <-ctx.Done():
			for _, w := range now {
				w.stop()
			}
			return
		}
	}
}
