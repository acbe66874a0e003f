package main

import (
	"context"
	"slices"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A handover is a token on its way to the agent, with the servers of all users of
// one file that share it. There may be thousands of them.
type handover struct {
	request ipc.AddRequest // with the secret
	added   ipc.Credential // what became of it

	size int          // of what it is about, roughly, as JSON
	has  map[any]bool // servers and certificate authorities
}

// roomy is how much one request is about: a request is at most ipc.MaxJSON.
const roomy = ipc.MaxJSON / 4

// A holding is a token under the name of its credential.
type holding struct{ name, token string }

// handOver notes that the agent is to get what r has.
func (pl *plan) handOver(r ipc.AddRequest) *handover {
	key := holding{r.Name, r.Secret.Reveal()}
	h := pl.latest[key]
	if h == nil || h.size > roomy {
		h = &handover{request: r, has: map[any]bool{}}
		h.request.Servers, h.request.CAs = nil, nil
		pl.latest[key] = h
		pl.tokens = append(pl.tokens, h)
	}
	for _, s := range r.Servers {
		if !h.has[s] {
			h.has[s] = true
			h.size += 100 + len(s.URL) + len(s.TLSServerName) + len(s.ProxyURL)
			h.request.Servers = append(h.request.Servers, s)
		}
	}
	for _, ca := range r.CAs {
		if sum := agent.Fingerprint(ca); !h.has[sum] {
			h.has[sum] = true
			h.size += len(ca) * 4 / 3
			h.request.CAs = append(h.request.CAs, ca)
		}
	}
	return h
}

// batches are the tokens of a file as they go to the agent together, which saves
// each of them and writes its state once for all. A replacement goes alone, and
// more servers of the same token go after it.
func (pl *plan) batches() [][]*handover {
	var out [][]*handover
	names, size := map[string]bool{}, 0
	for _, h := range pl.tokens {
		n := len(out) - 1
		weight := h.size + len(h.request.Secret.Reveal())
		if n < 0 || len(out[n]) == ipc.MaxTogether || names[h.request.Name] || size+weight > ipc.MaxPart || h.request.Replace || out[n][0].request.Replace {
			out, names, size = append(out, nil), map[string]bool{}, 0
			n++
		}
		out[n] = append(out[n], h)
		names[h.request.Name] = true
		size += weight
	}
	return out
}

// hand hands tokens over, or asks what would become of that.
func (p *planner) hand(ctx context.Context, batch []*handover, dryRun bool) ([]ipc.AddReply, error) {
	var rs []ipc.AddRequest
	for _, h := range batch {
		r := h.request
		r.DryRun = dryRun
		rs = append(rs, r)
	}
	if len(rs) > 1 {
		return p.agent.AddAll(ctx, rs)
	}
	reply, err := p.agent.Add(ctx, rs[0])
	return []ipc.AddReply{reply}, err
}

// addedTo notes what was added. What was created in parts goes as a whole, if it
// has to go again.
func addedTo(done, replies []ipc.AddReply) []ipc.AddReply {
	for _, r := range replies {
		i := slices.IndexFunc(done, func(d ipc.AddReply) bool {
			return d.Outcome == ipc.OutcomeCreated && r.Outcome == ipc.OutcomeExtended && d.Credential.Name == r.Credential.Name
		})
		if i >= 0 {
			done[i].Credential = r.Credential
		} else {
			done = append(done, r)
		}
	}
	return done
}

// added are the credentials that have got tokens, each once.
func added(tokens []*handover) []ipc.Credential {
	var out []ipc.Credential
	seen := map[string]bool{}
	for _, h := range tokens {
		if !seen[h.added.Name] {
			seen[h.added.Name] = true
			out = append(out, h.added)
		}
	}
	return out
}
