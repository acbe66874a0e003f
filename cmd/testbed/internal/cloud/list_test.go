package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
)

// clock is a hand to turn: tests say what time it is.
type clock struct{ t time.Time }

func newClock() *clock                   { return &clock{time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)} }
func (c *clock) now() time.Time          { return c.t }
func (c *clock) forward(d time.Duration) { c.t = c.t.Add(d) }

func mint(t *testing.T, l *List, o Order) Token {
	t.Helper()
	token, err := l.Mint(o)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestMintShapes(t *testing.T) {
	t.Parallel()
	l := NewList(newClock().now)
	token := mint(t, l, Order{})
	for what, m := range map[string]struct{ pattern, text string }{
		"secret":    {`^CW-SECRET-[A-Za-z0-9]{32}$`, token.Secret.Reveal()},
		"public id": {`^cwtoken-[0-9a-f]{8}$`, token.ID},
		"name":      {`^t-[a-z0-9]{6}$`, token.Name},
	} {
		if !regexp.MustCompile(m.pattern).MatchString(m.text) {
			t.Errorf("%s %q does not match %s", what, m.text, m.pattern)
		}
	}
	if token.UID != DefaultUID || token.OrgUID != DefaultOrgUID || !token.Expires.IsZero() {
		t.Errorf("defaults: %+v", token)
	}
	other := mint(t, l, Order{UID: "u", OrgUID: "o"})
	if other.UID != "u" || other.OrgUID != "o" || other.ID == token.ID || other.Secret == token.Secret {
		t.Errorf("second token: %+v", other)
	}
}

func TestMintRefusesNames(t *testing.T) {
	t.Parallel()
	l := NewList(newClock().now)
	for _, name := range []string{"cwtoken-01234567", "a/b", "..", "a b", "-x", strings.Repeat("a", 64)} {
		if token, err := l.Mint(Order{Name: name}); err == nil {
			t.Errorf("minted %q: %v", name, token)
		}
	}
	if _, err := l.Mint(Order{OrgUID: "a: b"}); err == nil {
		t.Error("minted for org \"a: b\"")
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := NewList(c.now)
	short := mint(t, l, Order{Lifetime: 30 * time.Second})
	never := mint(t, l, Order{})
	want := func(token Token, state State) {
		t.Helper()
		if _, got := l.Lookup(token.Secret.Reveal()); got != state {
			t.Errorf("at %s: state %d, want %d", c.t.Format(time.TimeOnly), got, state)
		}
	}
	want(short, Alive)
	c.forward(30*time.Second - 1)
	want(short, Alive)
	c.forward(1)
	want(short, Expired)
	c.forward(100 * 365 * 24 * time.Hour)
	want(never, Alive)
	c.forward(-101 * 365 * 24 * time.Hour)
	want(short, Alive)
	if _, got := l.Lookup("CW-SECRET-nobody"); got != Unknown || got.Dead() {
		t.Errorf("a secret that nobody minted: %d", got)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := NewList(c.now)
	first := mint(t, l, Order{Name: "prod", Lifetime: time.Hour})
	second := mint(t, l, Order{Name: "prod"})
	third := mint(t, l, Order{Name: "prod"})
	bystander := mint(t, l, Order{Name: "prod2"})
	states := func() string {
		var all []State
		for _, token := range []Token{first, second, third, bystander} {
			_, s := l.Lookup(token.Secret.Reveal())
			all = append(all, s)
		}
		return fmt.Sprint(all)
	}
	for _, step := range []struct {
		which string
		dead  int
		want  string
	}{
		{second.ID, 1, fmt.Sprint([]State{Alive, Revoked, Alive, Alive})},
		{"prod", 3, fmt.Sprint([]State{Revoked, Revoked, Revoked, Alive})},
		{"prod", 3, fmt.Sprint([]State{Revoked, Revoked, Revoked, Alive})},
	} {
		dead, err := l.Revoke(step.which)
		if err != nil || len(dead) != step.dead || states() != step.want {
			t.Errorf("revoke %s: %d dead, %v, states %s, want %s", step.which, len(dead), err, states(), step.want)
		}
	}
	c.forward(2 * time.Hour)
	if _, s := l.Lookup(first.Secret.Reveal()); s != Revoked {
		t.Errorf("revoked and then expired: %d", s)
	}
	if _, err := l.Revoke("nobody"); !errors.Is(err, ErrNoToken) {
		t.Errorf("revoke of an unknown name: %v", err)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	l := NewList(newClock().now)
	a, b := mint(t, l, Order{Name: "x"}), mint(t, l, Order{Name: "x"})
	l.Asked(Whoami, a.Secret.Reveal())
	l.Asked(Whoami, b.Secret.Reveal())
	l.Asked(Clusters, b.Secret.Reveal())
	l.Asked(Webhook, "")
	l.Asked(Refused, a.Secret.Reveal())
	l.Asked(Login, "unknown")
	for which, want := range map[string]Counts{
		"":   {Whoami: 2, Clusters: 1, Webhook: 1, Refused: 1, Login: 1},
		"x":  {Whoami: 2, Clusters: 1, Refused: 1},
		a.ID: {Whoami: 1, Refused: 1},
		b.ID: {Whoami: 1, Clusters: 1},
	} {
		if got, err := l.Requests(which); got != want || err != nil {
			t.Errorf("requests of %q: %+v, %v, want %+v", which, got, err, want)
		}
	}
	if _, err := l.Requests("nobody"); !errors.Is(err, ErrNoToken) {
		t.Errorf("requests of an unknown name: %v", err)
	}
	if got := (Counts{Whoami: 3, Webhook: 5}).String(); got != "whoami 3\nclusters 0\nwebhook 5\nrefused 0\nlogin 0\nkeys 0\n" {
		t.Errorf("as text: %q", got)
	}
}

func TestParseLifetime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "8h": 8 * time.Hour, "30d": DefaultLifetime, "0": 0, "never": 0, "0d": 0,
	} {
		if got, err := ParseLifetime(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "-1s", "-1d", "1.5d", "1000000d", "1y"} {
		if got, err := ParseLifetime(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	t.Parallel()
	token := mint(t, NewList(newClock().now), Order{})
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", token, "secret", token.Secret)
	encoded, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(encoded) + fmt.Sprintf("%v %+v %#v %s %q %x", token, token, token, token.Secret,
		token.Secret, token.Secret)
	if strings.Contains(all, token.Secret.Reveal()[len(secretPrefix):]) {
		t.Errorf("the secret stands in %s", all)
	}
}
