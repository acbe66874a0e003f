package coreweave

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// most is how long all questions about one token may take together.
const most = 10 * time.Second

// Config says how CoreWeave is reached.
type Config struct {
	Endpoint  string           // https://HOST[:PORT], without a path
	CAFile    string           // PEM; who signs the endpoint's certificate, in place of the system's roots; read at every question
	UserAgent string           // sent with every question; "cwagent" where it is empty
	Now       func() time.Time // the wall clock; time.Now where it is nil
}

// Verifier implements agent.Verifier.
type Verifier struct {
	Config
	flights singleflight.Group
	limit   time.Duration
	proxy   proxyFunc                                                // where no proxy-url is bound
	ask     func(context.Context, agent.VerifyRequest) agent.Verdict // one flight; tests put their own here
}

var _ agent.Verifier = (*Verifier)(nil)

// New returns a verifier. It asks nothing yet, and does not look at CAFile: one
// that is missing now may be there later.
func New(c Config) (*Verifier, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("coreweave endpoint: not of the form https://HOST[:PORT]")
	}
	c.Endpoint = "https://" + u.Host
	if c.UserAgent == "" {
		c.UserAgent = "cwagent"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	v := &Verifier{Config: c, limit: most, proxy: http.ProxyFromEnvironment}
	v.ask = v.inquire
	return v, nil
}

// outcome is what a flight brings back.
type outcome struct {
	question string
	verdict  agent.Verdict
	cut      bool // its asker left before there was a verdict
}

// Verify implements agent.Verifier. The questions end with ctx: who wants to
// wait for less time than they may take asks in a goroutine.
func (v *Verifier) Verify(ctx context.Context, r agent.VerifyRequest) agent.Verdict {
	if r.Token.Empty() {
		return v.unknown("there is no token")
	}
	token := agent.Sum(r.Token)
	question := describe(r)
	for ctx.Err() == nil {
		// A flight ends with the ctx of its first asker. Another one whose time is
		// not up, or who asks about other servers, starts the next.
		flight := v.flights.DoChan(string(token[:]), func() (any, error) {
			verdict := v.ask(ctx, r)
			return outcome{question, verdict, verdict.Life == agent.Unknown && ctx.Err() != nil}, nil
		})
		select {
		case result := <-flight:
			if o, ok := result.Val.(outcome); ok && o.question == question && !o.cut {
				return o.verdict
			}
		case <-ctx.Done():
		}
	}
	return v.unknown("no verdict in the time there was")
}

// describe tells two requests for one token apart.
func describe(r agent.VerifyRequest) string {
	type server struct {
		ipc.Server
		CA bool
	}
	var all []server
	for _, s := range r.Servers {
		_, ok := r.CAs[s.CASHA256]
		all = append(all, server{s, ok})
	}
	b, _ := json.Marshal(all) // strings and booleans: it cannot go wrong
	return string(b)
}

func (v *Verifier) unknown(why string) agent.Verdict {
	return agent.Verdict{Life: agent.Unknown, Why: why, At: v.Now()}
}

// inquire puts the questions of one flight.
func (v *Verifier) inquire(ctx context.Context, r agent.VerifyRequest) agent.Verdict {
	ctx, cancel := context.WithTimeout(ctx, v.limit)
	defer cancel()
	c := &inquiry{Verifier: v, request: r}
	if agent.IsAPIToken(r.Token) {
		e := c.askEndpoint(ctx)
		c.endpoint = &e
	}
	if c.endpoint == nil || c.endpoint.says == forbids || c.endpoint.says == nothing {
		c.reviews = c.askServers(ctx)
	}
	return c.decide()
}
