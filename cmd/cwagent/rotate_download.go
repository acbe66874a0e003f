package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/ipc"
)

const (
	// takenPoll is how often a rotation that waits for a person asks whether the
	// agent has found the token by itself.
	takenPoll = 300 * time.Millisecond

	// takenWait is how long after the token the file may be reported from which it
	// was taken, which loses it in between.
	takenWait = 3 * time.Second
)

// errTaken ends the wait for a paste.
var errTaken = errors.New("taken from a download")

// invite says where the token goes, right before it is asked for.
func (r *rotation) invite(ctx context.Context, a ipc.Agent) error {
	text := "Paste it here; it is not shown."
	if dirs := r.downloads(ctx, a); len(dirs) > 0 {
		text += "\nOr download its kubeconfig: it is taken from " + strings.Join(dirs, ", ") + "."
	}
	_, err := fmt.Fprintln(r.err, text)
	return err
}

// downloads are the folders that the agent takes tokens from by itself: those that
// it watches, if the person has agreed.
func (r *rotation) downloads(ctx context.Context, a ipc.Agent) (dirs []string) {
	folder, err := r.rewrittenFiles()
	if err != nil {
		return nil
	}
	if agreed, _, err := (absorb.Consent{Dir: folder.Dir}).Load(); err != nil || !agreed {
		return nil
	}
	s, err := a.Status(ctx, ipc.StatusRequest{}) // the folders belong to no credential
	if err != nil {
		return nil
	}
	for _, w := range s.Watched {
		if w.Kind == ipc.WatchFolder && w.State == ipc.WatchQuiet {
			dirs = append(dirs, printable(w.Path))
		}
	}
	return dirs
}

// pastedOrTaken waits for the token that the person brings: into add if it comes by
// the terminal or a pipe; taken, if the agent has found it in a download before.
func (r *rotation) pastedOrTaken(ctx context.Context, a ipc.Agent, cred ipc.Credential, add *ipc.AddRequest) (taken bool, err error) {
	if !terminal(r.in) {
		add.Secret, err = r.readToken(ctx)
		return false, err
	}
	wait, end := context.WithCancelCause(ctx)
	defer end(nil)
	found := make(chan taking, 1)
	go func() {
		if t, ok := r.replaced(wait, a, cred.Label); ok {
			found <- t
			end(errTaken)
		}
	}()
	add.Secret, err = r.readToken(wait)
	if err == nil || !errors.Is(context.Cause(wait), errTaken) {
		return false, err
	}
	t := <-found
	if t.candidate != nil {
		t.candidate.into(add, r.now())
		return false, nil
	}
	return true, r.finish(ctx, a, cred, t, *add)
}

// A taking is a token that came by itself.
type taking struct {
	credential ipc.Credential
	from       string     // a path; empty: not from a file
	candidate  *candidate // it has not come: it lies in a download
}

// replaced waits until the credential has another token than that of the label.
func (r *rotation) replaced(ctx context.Context, a ipc.Agent, label string) (t taking, ok bool) {
	tick := time.NewTicker(takenPoll)
	defer tick.Stop()
	var seen time.Time
	for {
		s, err := a.Status(ctx, ipc.StatusRequest{Name: r.name})
		if err == nil && s.Credentials[0].Label != label {
			if seen.IsZero() {
				seen = r.now()
			}
			t = taking{credential: s.Credentials[0], from: takenFrom(s.Watched, r.name, r.began)}
			if t.from != "" || r.now().Sub(seen) > takenWait {
				return t, true
			}
		}
		if err == nil && seen.IsZero() {
			if o := r.arrived(ctx, a, s); o != nil {
				return taking{candidate: o}, true
			}
		}
		select {
		case <-ctx.Done():
			return taking{}, false
		case <-tick.C:
		}
	}
}

// takenFrom is the file from which the agent has taken a token for a credential
// since then; empty if there is none.
func takenFrom(files []ipc.Watch, name string, since time.Time) (path string) {
	for _, w := range files {
		if w.State == ipc.WatchAbsorbed && w.Credential == name && !w.At.Before(since) {
			path, since = w.Path, w.At
		}
	}
	return path
}

// finish says what has changed, and adds what the person has said of the lifetime
// of a token that came by a download.
func (r *rotation) finish(ctx context.Context, a ipc.Agent, before ipc.Credential, t taking, add ipc.AddRequest) error {
	now := t.credential
	if t.from != "" && add.Expiry != ipc.ExpiryUnknown {
		secret, err := a.Token(ctx, ipc.TokenRequest{Name: r.name})
		if err != nil {
			return err
		}
		add.Secret, add.ID, add.Created, add.Replace = secret, now.ID, now.Created, false
		reply, err := a.Add(ctx, add)
		if err != nil {
			return err
		}
		now = reply.Credential
	}
	var gone *ipc.Retiring
	if i := slices.IndexFunc(now.Retiring, func(g ipc.Retiring) bool { return g.Label == before.Label }); i >= 0 {
		gone = &now.Retiring[i]
	}
	r.print(now, printable(cmp.Or(t.from, "meanwhile, not from here")), gone)
	return nil
}
