package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/ipc"
)

// ownStore is the store that the tokens are in, as an agent has written it down, else the
// one that an agent with this config would take first.
func (p *subject) ownStore() (agent.Store, error) {
	cfg, err := p.config()
	if err != nil {
		return nil, err
	}
	state, err := config.StateDir(p.getenv)
	if err != nil {
		return nil, err
	}
	all := allStores(cfg.Store, state, func(s ipc.Secret) ipc.Secret { return s })
	if book, err := (&ledger.File{Dir: state}).Load(); err == nil {
		if i := slices.IndexFunc(all, func(s agent.Store) bool { return s.Info().Kind == book.Store }); i >= 0 {
			return all[i], nil
		}
	}
	return all[0], nil
}

// storeTime is how long a store may take that is asked without the agent: a keyring
// answers in milliseconds.
const storeTime = time.Second

// lookStore believes the agent, whose environment may be another; without one it looks
// itself.
func lookStore(ctx context.Context, p *subject) []finding {
	if s, err := p.status(); err == nil {
		switch {
		case s.Store.Silent != nil:
			return []finding{hungStore(s.Store.Kind, (&agent.Silence{Since: *s.Store.Silent}).Words())}
		case s.Store.Trouble != "":
			locked := strings.Contains(s.Store.Trouble, agent.ErrLocked.Error())
			return []finding{badStore(s.Store.Kind, s.Store.Trouble, locked, strings.Contains(s.Store.Trouble, agent.ErrAbsent.Error()))}
		}
		return nil
	}
	store, err := p.ownStore()
	if err != nil {
		return []finding{unchecked("config.yaml does not say which")}
	}
	watcher, ok := store.(agent.StoreWatcher)
	if !ok {
		return []finding{notHere("tokens are in the agent's memory only")}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	err = watcher.Look(ctx)
	var silence *agent.Silence
	switch kind := store.Info().Kind; {
	case err == nil || errors.Is(err, agent.ErrNotFound):
		return nil
	case errors.As(err, &silence), errors.Is(err, context.DeadlineExceeded):
		return []finding{hungStore(kind, "no answer within "+storeTime.String())}
	default:
		return []finding{badStore(kind, err.Error(), errors.Is(err, agent.ErrLocked), errors.Is(err, agent.ErrAbsent))}
	}
}

// storeWords name a store: "the file" could be any.
func storeWords(kind string) string {
	if kind == "file" {
		return "file store"
	}
	return kind
}

func hungStore(kind, proof string) finding {
	f := finding{Grade: gradeBroken, Cause: "the " + storeWords(kind) + " is there and does not answer", Proof: proof, Mend: "look at the disk that it is on"}
	if kind == "keyring" {
		f.Mend = "end the keyring and log in again; with gnome-keyring"
		f.Command = "systemctl --user restart gnome-keyring-daemon"
	}
	return f
}

func badStore(kind, proof string, locked, absent bool) finding {
	f := finding{Grade: gradeBroken, Cause: "the " + storeWords(kind) + " refuses", Proof: proof, Mend: "cwagent store shows the others"}
	switch {
	case locked:
		f.Cause, f.Mend, f.Command = "the "+storeWords(kind)+" is locked", "unlock it", "cwagent unlock"
		f.fix, f.shows = runs("unlock"), true
	case absent && kind == "keyring":
		f.Cause, f.Mend, f.Command = "there is no keyring", "start one (gnome-keyring, KeePassXC), or make a store that needs none", "cwagent store init file"
	case absent:
		f.Cause, f.Mend = "the "+storeWords(kind)+" is not there", "bring back the folder that it is in, or make one: cwagent store init file"
	}
	return f
}

func lookPlaintext(ctx context.Context, p *subject) []finding {
	var info ipc.StoreInfo
	if s, err := p.status(); err == nil {
		info = s.Store
		if info.Trouble != "" && !info.Plaintext {
			return []finding{unchecked("the %s gives nothing", info.Kind)}
		}
	} else {
		store, err := p.ownStore()
		if err != nil {
			return []finding{unchecked("config.yaml does not say where they are")}
		}
		ctx, cancel := context.WithTimeout(ctx, storeTime)
		defer cancel()
		info = store.Info()
		watcher, ok := store.(agent.StoreWatcher)
		if ok && errors.Is(watcher.Look(ctx), agent.ErrAbsent) {
			return []finding{unchecked("there is no %s that could be looked at", info.Kind)}
		}
		if info.Plaintext = store.Plaintext(ctx); !info.Plaintext && ctx.Err() != nil {
			return []finding{unchecked("the %s gives nothing", info.Kind)}
		}
	}
	if !info.Plaintext {
		return nil
	}
	return []finding{{Grade: gradeWarning, Cause: "the " + info.Kind + " has no password: what is in it lies on disk in clear", Proof: info.Kind + " (" + info.Why + "): its default collection is not encrypted",
		Mend: "give it a password (Seahorse: Change Password), or take a store that is encrypted", Command: "cwagent store init file && cwagent store migrate file"}}
}

func lookSaved(_ context.Context, p *subject) (found []finding) {
	s, err := p.status()
	if err != nil {
		return []finding{noAgent(err)}
	}
	if s.Store.Kind == string(config.StoreMemory) {
		found = append(found, finding{Grade: gradeWarning, Cause: "all tokens are in the agent's memory only", Proof: "store memory (" + s.Store.Why + ")",
			Mend: "they are gone when it ends; take a store that lasts", Command: "cwagent store init file && cwagent store migrate file"})
	}
	for _, cred := range s.Credentials {
		switch {
		case cred.Saved, cred.State == ipc.StateEmpty, len(found) > 0 && cred.Unsaved == "":
		case cred.Unsaved != "":
			found = append(found, finding{Grade: gradeWarning, Cause: fmt.Sprintf("the token of %s is not saved", cred.Name), Proof: cred.Unsaved,
				Mend: "have the agent try it again now, which it does by itself, too", fix: func(ctx context.Context, m mender) error { return m.saveNow(ctx, cred.Name) }})
		default:
			found = append(found, finding{Grade: gradeWarning, Cause: fmt.Sprintf("the token of %s is in memory only, and gone when the agent ends", cred.Name), Proof: "it was added with --ephemeral",
				Mend: "if it is to last, hand it over again without that", Command: "cwagent token " + cred.Name + " --raw | cwagent add " + cred.Name})
		}
	}
	return found
}

// saveNow has the agent save what it can. Whether it did, the status tells.
func (m mender) saveNow(ctx context.Context, name string) error {
	if err := m.askToLeave(ctx, ipc.LeaveRequest{Stay: true}); err != nil {
		return err
	}
	s, err := m.status(ctx, name)
	if err == nil && len(s.Credentials) > 0 && !s.Credentials[0].Saved {
		err = errors.New("it is still not saved: " + s.Credentials[0].Unsaved)
	}
	return err
}
