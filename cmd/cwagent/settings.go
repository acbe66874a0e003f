package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/coreweave"
	"github.com/cwagent/cwagent/agent/metrics"
	"github.com/cwagent/cwagent/agent/source"
	"github.com/cwagent/cwagent/ipc"
)

// settings turn the config into what the agent takes, now and whenever it
// changes.
type settings struct {
	path    string
	now     func() time.Time
	log     *slog.Logger
	first   config.Config // at the start of the agent
	broken  error         // why it is nothing that the person has written down
	sources map[string]madeSource
	verify  liveVerifier
	folders folders
	reload  <-chan os.Signal // SIGHUP
	idle    lockAfter
	measure *metrics.Textfile
	notices *notices
	level   *slog.LevelVar  // of what a person sees of the log
	outside *source.Outside // where the agent is locked down, programs run outside of that
}

// A madeSource is kept for as long as the config says the same about it: the agent
// takes another one for a change.
type madeSource struct {
	from   config.Source
	source agent.Source
}

// bare is what holds as long as the config was never good: it may have said that
// nothing is to be looked at, and who is asked about a token. What the agent has
// learnt is served.
func bare() config.Config {
	c := config.Default()
	c.Watch = config.Watch{OnStaticToken: config.ReactIgnore}
	return c
}

// newSettings reads the config for the first time. Without a path nobody knows where
// it is, and broken says why.
func (c *cli) newSettings(log *slog.Logger) *settings {
	s := &settings{now: c.now, log: log, sources: map[string]madeSource{}}
	if s.path, s.broken = config.Path(c.getenv); s.broken != nil {
		s.path, s.first = "", bare()
		return s
	}
	s.first, s.broken = config.Load(s.path)
	// A file that was named on purpose is there.
	if _, err := os.Stat(s.path); err != nil && c.getenv("CWAGENT_CONFIG") != "" {
		s.broken = fail("unset it for the usual place, or correct it", "CWAGENT_CONFIG: %v", err)
	}
	if s.broken == nil {
		s.broken = s.verify.use(s, s.first.CoreWeave)
	}
	if s.broken != nil {
		s.first = bare()
	}
	return s
}

// follow applies the config to a and w whenever it changes, until ctx ends. A
// broken file leaves everything as it is, and says so.
func (s *settings) follow(ctx context.Context, a *agent.Agent, w *absorb.Watcher) {
	first := true
	config.Follow(ctx, s.path, s.watchOrReload, func(cfg config.Config, err error) {
		defer func() { first = false; s.measure.Note() }()
		if err == nil {
			err = s.verify.use(s, cfg.CoreWeave)
		}
		if err != nil {
			s.log.Error("config is not in force", "error", err)
			kept := "; what was in force before still is"
			if s.broken != nil {
				kept = "; tokens are given out, but no source is asked, nothing verified and nothing watched"
			}
			a.NoteTrouble(err.Error() + kept)
			return
		}
		s.broken = nil
		to := s.agent(cfg)
		if cfg.Store != s.first.Store {
			to.Trouble = fmt.Sprintf("store: %s is in force when the agent starts anew", cfg.Store)
		}
		if err := a.Configure(ctx, to); err != nil {
			s.log.Error("config is not in force", "error", err)
			return
		}
		w.Configure(watching(cfg))
		s.level.Set(cfg.LogLevel)
		s.idle.set(cfg.LockAfter)
		s.measure.Set(cfg.Textfile)
		s.notices.set(cfg)
		if !first {
			s.log.Info("config is in force", "path", s.path)
		}
	})
}

// watchOrReload watches a folder for the config, which is also read again when
// somebody sends SIGHUP.
func (s *settings) watchOrReload(ctx context.Context, dir string, changed func()) {
	reload := s.reload
	if dir != filepath.Dir(s.path) {
		reload = nil // where a link leads: once is enough
	}
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { s.folders.watch(ctx, dir, changed) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			s.log.Info("asked to read the config again", "path", s.path)
			changed()
		}
	}
}

// agent is cfg in the words of the agent.
func (s *settings) agent(cfg config.Config) agent.Settings {
	out := agent.Settings{Policy: policy(cfg), Credentials: map[string]agent.Setting{}}
	made := map[string]madeSource{}
	for _, cred := range cfg.Credentials {
		set := agent.Setting{}
		if cred.Servers != nil {
			set.Servers = []ipc.Server{}
		}
		for _, server := range cred.Servers {
			set.Servers = append(set.Servers, server.Server)
			if len(server.CA) > 0 {
				set.CAs = append(set.CAs, server.CA)
			}
		}
		if m := s.source(cred.Name, cred.Source); m.source != nil {
			made[cred.Name], set.Source = m, m.source
		}
		out.Credentials[cred.Name] = set
	}
	s.sources = made
	return out
}

// source makes the source of a credential, or takes the one that is in use where
// nothing is said that is new.
func (s *settings) source(name string, from config.Source) madeSource {
	if had, ok := s.sources[name]; ok && reflect.DeepEqual(had.from, from) {
		return had
	}
	m := madeSource{from: from}
	switch {
	case from.Command != nil:
		m.source = &source.Command{
			Argv: from.Command.Argv, Env: from.Command.Env, Timeout: from.Command.Timeout, Lifetime: from.Command.Lifetime, Now: s.now, Outside: s.outside,
		}
	case from.File != nil:
		m.source = &source.File{Path: from.File.Path, Lifetime: from.File.Lifetime, Now: s.now, WatchFolder: s.folders.watch}
	case from.ServiceAccount != nil:
		a := from.ServiceAccount
		m.source = &source.ServiceAccount{
			Namespace: a.Namespace, Name: a.Name, Audiences: a.Audiences, Lifetime: a.Lifetime, From: a.From, Server: a.Server,
			Now: s.now, UserAgent: userAgent(),
		}
	}
	return m
}

// watching is what the config says about static tokens, in the words of the
// watcher.
func watching(cfg config.Config) absorb.Settings {
	return absorb.Settings{
		Kubeconfigs: cfg.Watch.Kubeconfigs, Downloads: cfg.Watch.Downloads, OnStaticToken: absorb.Reaction(cfg.Watch.OnStaticToken),
	}
}

// policy is what the config says about when a person is needed.
func policy(cfg config.Config) agent.Policy {
	p := agent.Policy{WarnBefore: cfg.WarnBefore, MaxAge: map[string]time.Duration{}}
	for _, cred := range cfg.Credentials {
		if cred.MaxAge.Never || cred.MaxAge.Limit > 0 {
			p.MaxAge[cred.Name] = cred.MaxAge.Limit
		}
	}
	return p
}

// liveVerifier is the verifier that the config asks for at the moment.
type liveVerifier struct {
	now atomic.Pointer[coreweave.Verifier]
	is  config.CoreWeave
}

func (l *liveVerifier) Verify(ctx context.Context, r agent.VerifyRequest) agent.Verdict {
	v := l.now.Load()
	if v == nil {
		return agent.Verdict{Life: agent.Unknown, Why: "the config is broken, which says who may be asked", At: time.Now()}
	}
	return v.Verify(ctx, r)
}

// Keys implements agent.Exchange.
func (l *liveVerifier) Keys(ctx context.Context, token ipc.Secret) (agent.Keys, error) {
	v := l.now.Load()
	if v == nil {
		return agent.Keys{}, &agent.SourceError{Class: agent.Broken, Why: "the config is broken, which says who may be asked", Hint: "cwagent status says what is wrong with it"}
	}
	return v.Keys(ctx, token)
}

// use takes another endpoint, if it is another one.
func (l *liveVerifier) use(s *settings, c config.CoreWeave) error {
	if c == l.is && l.now.Load() != nil {
		return nil
	}
	if c.CAFile != "" {
		// Found out now, not when a verdict is missing; one that goes away
		// later is read again at each question.
		if b, err := os.ReadFile(c.CAFile); err != nil || len(agent.Certificates(b)) == 0 {
			return fail("a PEM file with the certificate of who signs the endpoint's", "config %s: coreweave.caFile %s: no certificate there", s.path, c.CAFile)
		}
	}
	v, err := coreweave.New(coreweave.Config{Endpoint: c.Endpoint, CAFile: c.CAFile, UserAgent: userAgent(), Now: s.now})
	if err != nil {
		return err
	}
	l.now.Store(v)
	l.is = c
	return nil
}

func userAgent() string { return "cwagent/" + version }
