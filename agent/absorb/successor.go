package absorb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// patience is how long the agent may take for one token: the verdict, and the
// store.
const patience = 40 * time.Second

// A successor is a token that has been found to be the next one of a credential.
type successor struct {
	user       *kubeconfig.User
	credential ipc.Credential
	request    ipc.AddRequest
}

// succeed finds out whether the token of u, which nobody knows, is the next one of
// one of the candidates; else it says why not.
func (e *examination) succeed(ctx context.Context, u *kubeconfig.User, candidates []ipc.Credential) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	doubts := map[string]error{} // by credential
	for _, c := range candidates {
		h, former, err := e.Agent.Former(ctx, c.Name, u.Token, e.id)
		if former {
			e.decide(u, h)
			return
		}
		doubts[c.Name] = err
	}
	c, ok := e.ofItsOwner(ctx, u, candidates)
	if !ok {
		return
	}
	if err := doubts[c.Name]; err != nil {
		e.uncertain(u, c, err)
		return
	}
	if why := e.older(c); why != "" {
		e.found(u, c.Name, why, "cwagent rotate "+c.Name+" takes it, if it is meant; else remove the file")
		return
	}
	if c.Identity.OrgUID == "" || c.Identity.UID == "" {
		e.found(u, c.Name, "CoreWeave has not said yet whose credential "+c.Name+" is", "cwagent verify "+c.Name)
		return
	}
	r := e.trial(u, c)
	if e.f.kind == ipc.WatchDownload {
		at := kubeconfig.DownloadedAt(e.read.Info.ModTime(), e.Now())
		r.Created = &at
	}
	if _, err := e.Agent.Add(ctx, r); err != nil {
		e.refused(u, c, err)
		return
	}
	r.DryRun = false
	e.successors = append(e.successors, successor{u, c, r})
}

// promote has the agent take the successors. What it says then decides whether the
// file is rewritten.
func (e *examination) promote(ctx context.Context) {
	for _, s := range e.successors {
		ctx, cancel := context.WithTimeout(ctx, patience)
		// Import may have had its turn before: it has its own name for the token.
		known := len(e.Agent.Recognize(s.user.Token)) > 0
		var err error
		if !known {
			err = e.take(ctx, s)
		}
		status, statusErr := e.Agent.Status(ctx, ipc.StatusRequest{})
		cancel()
		if err = cmp.Or(err, statusErr); err != nil {
			e.refused(s.user, s.credential, err)
			continue
		}
		e.credentials = status.Credentials
		servers, _ := canonical(s.user.Servers) // they have been judged
		h, ok := e.recognize(s.user, servers)
		if !ok {
			e.again(s.user, s.credential.Name, errors.New("it was taken, and has gone again"))
			continue
		}
		n := len(e.decided)
		if e.decide(s.user, h); len(e.decided) > n {
			e.decided[n].fresh = !known
		}
	}
}

// take has the agent take a successor, if the credential is the one that was judged:
// another one of its name may be anybody's. The dry run's verdict serves.
func (e *examination) take(ctx context.Context, s successor) error {
	now, err := e.Agent.Status(ctx, ipc.StatusRequest{Name: s.credential.Name})
	if err != nil {
		return err
	}
	if now.Credentials[0].Revision != s.credential.Revision {
		e.out.busy = true
		return changed(s.credential.Name)
	}
	_, err = e.Agent.Add(ctx, s.request)
	return err
}

// uncertain says that nobody can tell whether the token of u is an old one.
func (e *examination) uncertain(u *kubeconfig.User, c ipc.Credential, err error) {
	var ours *ipc.Error
	if errors.As(err, &ours) && ours.Code == ipc.CodeInvalid {
		e.found(u, c.Name, ours.What, ours.Hint+"; cwagent rotate "+c.Name+" takes it as it is")
		return
	}
	e.again(u, c.Name, err)
}

// older says why the token in a download is not a newer one than that of c, or
// cannot be known to be.
func (e *examination) older(c ipc.Credential) string {
	if e.id == "" {
		return ""
	}
	retiring := func(t ipc.Retiring) bool { return t.ID == e.id }
	waiting := func(t ipc.Standby) bool { return t.ID == e.id }
	if e.id == c.ID || slices.ContainsFunc(c.Retiring, retiring) || slices.ContainsFunc(c.Standby, waiting) {
		return "credential " + c.Name + " has another token of that public id"
	}
	since := c.Added
	if c.Created != nil {
		since = *c.Created
	}
	if c.Held {
		// What lay there before was there to be chosen.
		if len(c.Retiring) == 0 {
			return "credential " + c.Name + " has a token that somebody went back to"
		}
		since = c.Retiring[0].Since
		if at := e.read.Info.ModTime(); at.Before(since) {
			return fmt.Sprintf("the file is of %s, and somebody went back to another token of credential %s at %s",
				at.Local().Format(time.DateTime), c.Name, since.Local().Format(time.DateTime))
		}
	}
	if at := e.read.Info.ModTime(); at.Before(since) {
		return fmt.Sprintf("the file is of %s, the token of credential %s of %s, which seems to be the newer one",
			at.Local().Format(time.DateTime), c.Name, since.Local().Format(time.DateTime))
	}
	return ""
}

// refused says why the agent does not take the token of u for c. The agent's own
// hints are about a command that nobody has given here.
func (e *examination) refused(u *kubeconfig.User, c ipc.Credential, err error) {
	var ours *ipc.Error
	if !errors.As(err, &ours) {
		e.again(u, c.Name, err)
		return
	}
	switch ours.Code {
	case ipc.CodeRefused:
		e.found(u, c.Name, ours.What, "remove it from the file: it is dead, and nobody here knows it")
	case ipc.CodeIdentity:
		e.found(u, c.Name, ours.What, e.importHint()+" makes it a credential of its own")
	case ipc.CodeUnverified:
		e.again(u, c.Name, &ipc.Error{What: ours.What, Hint: "it is asked about again; at once: " + e.importHint()})
	default:
		e.again(u, c.Name, err)
	}
}
