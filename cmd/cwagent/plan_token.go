package main

import (
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

// added are the credentials that have got the tokens of a file, each once.
func (pl *plan) added() []ipc.Credential {
	var out []ipc.Credential
	seen := map[string]bool{}
	for _, h := range pl.tokens {
		if !seen[h.added.Name] {
			seen[h.added.Name] = true
			out = append(out, h.added)
		}
	}
	return out
}
