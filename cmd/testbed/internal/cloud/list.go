package cloud

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrNoToken is for a name or public id that the list does not hold.
var ErrNoToken = errors.New("no such token")

// List is every token ever minted, dead ones included, with the requests that each has caused.
type List struct {
	now func() time.Time

	mu       sync.Mutex
	tokens   []*Token
	bySecret map[string]*Token
	asked    map[string]*Counts // by public id
	all      Counts             // with those that carried no token, or one never minted
}

// NewList is empty; now is the clock that tokens expire by.
func NewList(now func() time.Time) *List {
	return &List{now: now, bySecret: map[string]*Token{}, asked: map[string]*Counts{}}
}

// Order is what to mint; every field may be empty, a Lifetime of zero is for ever.
type Order struct {
	Name     string
	UID      string
	OrgUID   string
	Lifetime time.Duration
}

// Mint adds a token. Another one of the same name stays as it is: the Console does not mind either.
func (l *List) Mint(o Order) (Token, error) {
	if o.Name != "" {
		if err := checkName(o.Name); err != nil {
			return Token{}, err
		}
	}
	t := &Token{
		Name:   cmp.Or(o.Name, "t-"+random("abcdefghjkmnpqrstuvwxyz23456789", 6)),
		Secret: newSecret(),
		UID:    cmp.Or(o.UID, DefaultUID),
		OrgUID: cmp.Or(o.OrgUID, DefaultOrgUID),
	}
	for _, uid := range []string{t.UID, t.OrgUID} {
		if !validUID.MatchString(uid) {
			return Token{}, fmt.Errorf("uid %q: letters, digits and :._@- only", uid)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for t.ID == "" || l.asked[t.ID] != nil {
		t.ID = "cwtoken-" + random("0123456789abcdef", 8)
	}
	t.Created = l.now()
	if o.Lifetime > 0 {
		t.Expires = t.Created.Add(o.Lifetime)
	}
	l.tokens = append(l.tokens, t)
	l.bySecret[t.Secret.Reveal()] = t
	l.asked[t.ID] = new(Counts)
	return *t, nil
}

// Lookup says whose secret that is and what it is worth now; Unknown means that nobody minted it.
func (l *List) Lookup(secret string) (Token, State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.bySecret[secret]
	if t == nil {
		return Token{}, Unknown
	}
	return *t, t.State(l.now())
}

// Revoke kills the token with that public id, or every token of that name, and returns them.
func (l *List) Revoke(which string) ([]Token, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.findLocked(which)
	if len(found) == 0 {
		return nil, fmt.Errorf("revoke %q: %w", which, ErrNoToken)
	}
	var dead []Token
	for _, t := range found {
		if t.Revoked.IsZero() {
			t.Revoked = l.now()
		}
		dead = append(dead, *t)
	}
	return dead, nil
}

func (l *List) findLocked(which string) []*Token {
	var found []*Token
	for _, t := range l.tokens {
		if t.Name == which || t.ID == which {
			found = append(found, t)
		}
	}
	return found
}
