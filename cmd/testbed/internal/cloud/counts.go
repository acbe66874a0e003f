package cloud

import (
	"fmt"
	"net/http"
	"strings"
)

// Kind is a place where a token can turn up.
type Kind int

const (
	Whoami Kind = iota
	Clusters
	Webhook
	Refused // by the front that answers 403, before the API server
	Login   // where the redirect fault points: who arrives has followed it
	Keys    // for object storage
)

// Counts says how often each place was asked.
type Counts struct {
	Whoami   int `json:"whoami"`
	Clusters int `json:"clusters"`
	Webhook  int `json:"webhook"`
	Refused  int `json:"refused"`
	Login    int `json:"login"`
	Keys     int `json:"keys"`
}

func (c *Counts) at(k Kind) *int {
	return [...]*int{&c.Whoami, &c.Clusters, &c.Webhook, &c.Refused, &c.Login, &c.Keys}[k]
}

func (c *Counts) add(more Counts) {
	for k := Whoami; k <= Keys; k++ {
		*c.at(k) += *more.at(k)
	}
}

// String has one "key count" per line.
func (c Counts) String() string {
	return fmt.Sprintf("whoami %d\nclusters %d\nwebhook %d\nrefused %d\nlogin %d\nkeys %d\n",
		c.Whoami, c.Clusters, c.Webhook, c.Refused, c.Login, c.Keys)
}

// Asked counts one request and then does what Lookup does.
func (l *List) Asked(k Kind, secret string) (Token, State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.all.at(k)++
	t := l.bySecret[secret]
	if t == nil {
		return Token{}, Unknown
	}
	*l.asked[t.ID].at(k)++
	return *t, t.State(l.now())
}

// Requests sums up for a public id, for all tokens of a name, or for everything if which is empty.
func (l *List) Requests(which string) (Counts, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if which == "" {
		return l.all, nil
	}
	var sum Counts
	found := l.findLocked(which)
	if len(found) == 0 {
		return sum, fmt.Errorf("count requests of %q: %w", which, ErrNoToken)
	}
	for _, t := range found {
		sum.add(*l.asked[t.ID])
	}
	return sum, nil
}

func bearer(r *http.Request) string {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}
