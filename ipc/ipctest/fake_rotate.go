package ipctest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A bearer is a token and what is known about it.
type bearer struct {
	secret  ipc.Secret
	id      string
	created *time.Time
	added   time.Time
	expiry  ipc.Expiry
	expires *time.Time
	since   time.Time // when it gave way
}

// end returns when the token ends; far away where nothing is known of that.
func (t bearer) end() time.Time {
	if t.expiry != ipc.ExpiryKnown || t.expires == nil {
		return time.Unix(1<<40, 0)
	}
	return *t.expires
}

func (t bearer) label() string {
	sum := sha256.Sum256([]byte(t.secret.Reveal()))
	return "#" + hex.EncodeToString(sum[:4])
}

func (t bearer) gaveWay(name string) ipc.Retiring {
	return ipc.Retiring{
		Credential: name, ID: t.id, Label: t.label(), Since: t.since, Expiry: t.expiry, Expires: t.expires,
		Kept: true, Delete: strings.HasPrefix(t.secret.Reveal(), "CW-SECRET-"),
	}
}

// alive returns a new slice of those tokens that have not ended.
func alive(all []bearer) []bearer {
	now := time.Now()
	return slices.DeleteFunc(slices.Clone(all), func(t bearer) bool { return !now.Before(t.end()) })
}

// without returns a new slice of those tokens that are not that one.
func without(all []bearer, s ipc.Secret) []bearer {
	return slices.DeleteFunc(slices.Clone(all), func(t bearer) bool { return t.secret.Equal(s) })
}

// wait has t wait for its turn, or corrects what is known of a token that does.
func (h *held) wait(t bearer) ipc.Outcome {
	outcome := ipc.OutcomeStandby
	for _, was := range h.standby {
		if !was.secret.Equal(t.secret) {
			continue
		}
		outcome = ipc.OutcomeExtended
		if t.id == "" {
			t.id = was.id
		}
		if t.expiry == ipc.ExpiryUnknown {
			t.expiry, t.expires = was.expiry, was.expires
		}
	}
	h.retiring = without(h.retiring, t.secret)
	h.standby = append(without(h.standby, t.secret), t)
	slices.SortStableFunc(h.standby, func(a, b bearer) int { return a.end().Compare(b.end()) })
	return outcome
}

// serve makes t the current token and returns the one that gave way.
func (h *held) serve(t bearer) *ipc.Retiring {
	last := h.token
	last.since = time.Now()
	h.token = t
	h.standby = without(h.standby, t.secret)
	h.retiring = slices.Insert(without(h.retiring, t.secret), 0, last)
	gone := last.gaveWay(h.Name)
	return &gone
}

// view is h as a person sees it.
func (h held) view() ipc.Credential {
	c, t := h.Credential, h.token
	c.ID, c.Created, c.Added, c.Expiry, c.Expires = t.id, t.created, t.added, t.expiry, t.expires
	c.Source = "console"
	for _, t := range h.standby {
		c.Source = "standby"
		c.Standby = append(c.Standby, ipc.Standby{ID: t.id, Label: t.label(), Expiry: t.expiry, Expires: t.expires})
	}
	for _, t := range h.retiring {
		c.Retiring = append(c.Retiring, t.gaveWay(h.Name))
	}
	return c
}

// Rotate implements ipc.Agent. A fake has no sources.
func (f *Fake) Rotate(_ context.Context, r ipc.RotateRequest) (ipc.RotateReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := f.lookupLocked(r.Name)
	if err != nil {
		return ipc.RotateReply{}, err
	}
	reply := ipc.RotateReply{From: "standby"}
	i := slices.IndexFunc(h.standby, func(t bearer) bool {
		return h.token.expiry != ipc.ExpiryKnown || t.end().After(h.token.end())
	})
	switch {
	case r.Rollback && len(h.retiring) == 0:
		return ipc.RotateReply{}, fail(ipc.CodeSource, "credential "+r.Name+": there is no token to go back to")
	case r.Rollback:
		reply.From, reply.Retired = "rollback", h.serve(h.retiring[0])
	case i < 0:
		return ipc.RotateReply{}, fail(ipc.CodeSource, "credential "+r.Name+": no token waits that would last longer")
	default:
		reply.Retired = h.serve(h.standby[i])
	}
	f.changeLocked(&h)
	reply.Credential = h.view()
	return reply, nil
}

// Retired implements ipc.Agent.
func (f *Fake) Retired(_ context.Context, r ipc.RetiredRequest) (ipc.RetiredReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := func(t bearer) bool { return r.Done != "" && (t.id == r.Done || t.label() == r.Done) }
	reply, found := ipc.RetiredReply{Tokens: []ipc.Retiring{}}, false
	for _, name := range f.namesLocked() {
		h, err := f.lookupLocked(name)
		if err != nil {
			return ipc.RetiredReply{}, err
		}
		found = found || slices.ContainsFunc(h.retiring, done)
		h.retiring = slices.DeleteFunc(h.retiring, done)
		f.putLocked(h)
		reply.Tokens = append(reply.Tokens, h.view().Retiring...)
	}
	if r.Done != "" && !found {
		return ipc.RetiredReply{}, fail(ipc.CodeNotFound, "token "+r.Done+": not among those that gave way")
	}
	return reply, nil
}
