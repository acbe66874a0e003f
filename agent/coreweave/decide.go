package coreweave

import (
	"strings"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// An inquiry is the questions about one token, and the answers.
type inquiry struct {
	*Verifier
	request  agent.VerifyRequest
	endpoint *answer  // nil: not for the endpoint's eyes
	reviews  []answer // by server; empty where they were not asked
}

// An answer is what one place says about the token.
type answer struct {
	says     says
	host     string // of a bound server
	why      string // for a person; empty: not worth a word
	identity ipc.Identity
	reply    reply
}

type says int

const (
	nothing says = iota // nothing follows
	knows               // the token is alive
	refuses             // 401
	forbids             // 403
)

func (a *answer) refused() bool { return a.says == refuses || a.says == forbids }

// decide draws the conclusion; the package comment has it as a table.
func (c *inquiry) decide() agent.Verdict {
	var yes, no *answer
	var whys []string
	if c.endpoint != nil {
		whys = append(whys, c.endpoint.why)
		switch c.endpoint.says {
		case knows:
			yes = c.endpoint
		case refuses:
			no = c.endpoint
		}
	}
	// A cluster's refusal alone is no proof against an API Access Token.
	enough := c.endpoint == nil || c.endpoint.says == forbids
	for i := range c.reviews {
		a := &c.reviews[i]
		whys = append(whys, a.why, c.wrongPair(a))
		switch {
		case a.says == knows && yes == nil:
			yes = a
		case a.refused() && enough && no == nil:
			no = a
		}
	}
	if len(c.request.Servers) == 0 && yes == nil && no == nil {
		whys = append(whys, "it is bound to no server yet, and no other one may see it")
	}
	if yes == c.endpoint && yes != nil {
		whys = append(whys, c.wrongServers())
	}
	v := agent.Verdict{Life: agent.Unknown, Why: c.tidy(whys)}
	from := c.first()
	switch {
	case yes != nil:
		v.Life, v.Identity, from = agent.Alive, yes.identity, yes
	case no != nil:
		v.Life, from = agent.Rejected, no
	}
	v.At = c.Now()
	if from != nil {
		v.At, v.Skew = from.reply.at, from.reply.skew
	}
	return v
}

// first returns the first answer that is one, whatever it says.
func (c *inquiry) first() *answer {
	if c.endpoint != nil && !c.endpoint.reply.at.IsZero() {
		return c.endpoint
	}
	for i := range c.reviews {
		if !c.reviews[i].reply.at.IsZero() {
			return &c.reviews[i]
		}
	}
	return nil
}

// wrongPair names the likeliest refusal there is with CKS: a token at the wrong
// one of a cluster's two endpoints.
func (c *inquiry) wrongPair(a *answer) string {
	switch host, unmanaged := strings.CutPrefix(a.host, "api."); {
	case !a.refused():
	case c.endpoint != nil && unmanaged:
		return a.host + " takes no API Access Tokens, " + host + " does"
	case c.endpoint == nil && !unmanaged && cks(a.host):
		return a.host + " takes API Access Tokens only, others go to api." + host
	}
	return ""
}

// wrongServers is the same, where the servers were not asked because whoami
// knows the token: kubectl will be refused all the same.
func (c *inquiry) wrongServers() string {
	for _, s := range c.request.Servers {
		if why := WrongPair(s, true); why != "" {
			return "but " + why
		}
	}
	return ""
}

// cks reports whether that is how CoreWeave names the public endpoint of a
// cluster. Others have any name, so this is good for advice only.
func cks(host string) bool {
	return strings.HasSuffix(host, ".coreweave.com") && strings.Contains(host, ".k8s.")
}

// tidy joins what is to be said: bounded, in one line, without control
// characters, and without the token even where something went wrong before.
func (c *inquiry) tidy(whys []string) string {
	const longest = 600
	var said []string
	for _, w := range whys {
		if w != "" {
			said = append(said, w)
		}
	}
	s := strings.Join(said, "; ")
	c.request.Token.Read(func(token string) { s = strings.ReplaceAll(s, token, c.request.Token.String()) })
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > longest {
		s = s[:longest] + "..."
	}
	return s
}
