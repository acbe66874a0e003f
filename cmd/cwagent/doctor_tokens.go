package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A verdict is what came of asking about the token of a credential.
type verdict struct {
	cred  ipc.Credential
	reply ipc.VerifyReply
	err   error
}

const (
	verifyAtOnce = 16                     // tokens that are asked about at one time
	verifyEnds   = 200 * time.Millisecond // before the check: then it can say about which nobody answers
)

// verify asks about all tokens that the agent can give out.
func (p *subject) verify(ctx context.Context) ([]verdict, error) {
	s, err := p.status()
	if err != nil {
		return nil, err
	}
	a, err := p.running()
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel func()
		ctx, cancel = context.WithDeadline(ctx, end.Add(-verifyEnds))
		defer cancel()
	}
	var all []verdict
	for _, cred := range s.Credentials {
		if cred.State != ipc.StateEmpty && cred.State != ipc.StateLocked {
			all = append(all, verdict{cred: cred})
		}
	}
	room := make(chan struct{}, verifyAtOnce)
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			room <- struct{}{}
			all[i].reply, all[i].err = a.Verify(ctx, ipc.VerifyRequest{Name: all[i].cred.Name})
			<-room
		})
	}
	wait.Wait()
	return all, nil
}

func lookTokens(_ context.Context, p *subject) (found []finding) {
	s, err := p.status()
	if err != nil {
		return []finding{noAgent(err)}
	}
	for _, cred := range s.Credentials {
		switch cred.State {
		case ipc.StateLocked:
			found = append(found, finding{Grade: gradeBroken, Cause: cred.Name + " gives no token: the store does not", Proof: cred.Reason, Mend: "see store"})
		case ipc.StateEmpty:
			found = append(found, finding{Grade: gradeBroken, Cause: cred.Name + " has no token", Proof: cred.Reason, Mend: "make one at " + consolePage + ", and hand it over", Command: "cwagent add " + cred.Name + " --replace"})
		}
	}
	verdicts, err := p.verdicts()
	if err != nil {
		return append(found, noAgent(err))
	}
	for _, v := range verdicts {
		if f := v.judge(p.now()); f != nil {
			found = append(found, *f)
		}
	}
	return found
}

// judge returns what is wrong, if anything is.
func (v verdict) judge(now time.Time) *finding {
	name, state := v.cred.Name, v.cred.State
	if v.err == nil {
		state = v.reply.Credential.State
	}
	switch {
	case v.err == nil && agent.Life(v.reply.Life) == agent.Rejected && state != ipc.StateValid && state != ipc.StateDue:
		if isOver(v.cred, now) {
			return over(v.cred)
		}
		return refusedBy(v.cred, "asked just now: "+v.reply.Why)
	case state == ipc.StateExpired && v.err == nil && agent.Life(v.reply.Life) == agent.Alive:
		return &finding{Grade: gradeBroken, Cause: name + " is not given out: it has expired by what is known of it, but the server still takes it",
			Proof: "asked just now: alive", Mend: "say when it ends", Command: "cwagent add " + name + " --same --expires TIME"}
	case state == ipc.StateExpired:
		return over(v.cred)
	case state == ipc.StateRefused:
		return refusedBy(v.cred, v.cred.Reason+"; just now nobody could say")
	case hasCode(v.err, ipc.CodeTimeout):
		f := unchecked("%s: nobody has said in time whether its token is alive", name)
		return &f
	case v.err != nil:
		f := unchecked("%s: %v", name, v.err)
		return &f
	case agent.Life(v.reply.Life) == agent.Unknown:
		f := unchecked("%s: nobody could say whether its token is alive: %s", name, v.reply.Why)
		return &f
	}
	return nil
}

const newToken = "make a new token at " + consolePage + ", and hand it over"

func refusedBy(c ipc.Credential, proof string) *finding {
	return &finding{Grade: gradeBroken, Cause: "the server refuses the token of " + c.Name, Proof: proof, Mend: newToken, Command: "cwagent rotate " + c.Name}
}

// over is about a token that has expired. What the server says to it is no news then.
func over(c ipc.Credential) *finding {
	f := &finding{Grade: gradeBroken, Cause: "the token of " + c.Name + " has expired", Proof: c.Reason, Mend: newToken, Command: "cwagent rotate " + c.Name}
	if c.Expires != nil {
		f.Proof = "it expired at " + c.Expires.Local().Format("2006-01-02 15:04:05 MST")
	}
	return f
}

// isOver goes by what is known of a token, whatever came of it since: the state may be
// refused.
func isOver(c ipc.Credential, now time.Time) bool {
	return c.State == ipc.StateExpired || c.Expiry == ipc.ExpiryKnown && c.Expires != nil && !c.Expires.After(now)
}

func lookExpiry(_ context.Context, p *subject) (found []finding) {
	s, err := p.status()
	if err != nil {
		return []finding{noAgent(err)}
	}
	for _, cred := range s.Credentials {
		renew := finding{Grade: gradeWarning, Proof: orThe(cred.ID), Mend: newToken, Command: "cwagent rotate " + cred.Name}
		switch {
		case isOver(cred, p.now()):
			found = append(found, p.judged(cred.Name)...)
		case cred.State == ipc.StateDue:
			renew.Cause, renew.Proof = cred.Name+" needs a new token", cred.Reason
			found = append(found, renew)
		case cred.State != ipc.StateValid:
		case cred.Expiry == ipc.ExpiryUnknown:
			found = append(found, finding{Grade: gradeWarning, Cause: fmt.Sprintf("when the token of %s ends is not known: nothing can warn of it", cred.Name),
				Proof: "cwagent status " + cred.Name + ": expiry unknown", Mend: "say it", Command: "cwagent add " + cred.Name + " --same --expires DATE"})
		case cred.Expiry == ipc.ExpiryNever:
			renew.Cause, renew.Proof = "the token of "+cred.Name+" never ends: whoever has a copy has it for good", "cwagent status "+cred.Name+": never"
			renew.Mend = "make one that ends, at " + consolePage + ", hand it over, and delete this one there"
			found = append(found, renew)
		}
	}
	return found
}

// judged are the words of tokens about one of them.
func (p *subject) judged(name string) (found []finding) {
	verdicts, _ := p.verdicts() // the status was there
	for _, v := range verdicts {
		if f := v.judge(p.now()); f != nil && v.cred.Name == name {
			found = append(found, *f)
		}
	}
	return found
}

// tolerableSkew is how far the clock may be off: less is what a slow answer looks like,
// and more is what answers are cut short by.
const tolerableSkew = 30 * time.Second

func lookClock(_ context.Context, p *subject) []finding {
	verdicts, err := p.verdicts()
	if err != nil {
		return []finding{noAgent(err)}
	}
	answered := false
	for _, v := range verdicts {
		if v.err != nil || agent.Life(v.reply.Life) == agent.Unknown && v.reply.Skew == 0 {
			continue
		}
		answered = true
		if v.reply.Skew.Abs() > tolerableSkew {
			return []finding{{Grade: gradeWarning, Cause: "this machine's clock is " + agent.SkewWords(v.reply.Skew) + ": tokens seem to end at another time than they do",
				Proof: "the Date of the answer about " + v.cred.Name, Mend: "set it, and have it kept", Command: "timedatectl set-ntp true"}}
		}
	}
	if !answered {
		return []finding{unchecked("no server has answered whose clock could be compared")}
	}
	return nil
}
