package source

import (
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func transient(why, hint string) *agent.SourceError {
	return &agent.SourceError{Class: agent.Transient, Why: why, Hint: hint}
}

func denied(why, hint string) *agent.SourceError {
	return &agent.SourceError{Class: agent.Denied, Why: why, Hint: hint}
}

func broken(why, hint string) *agent.SourceError {
	return &agent.SourceError{Class: agent.Broken, Why: why, Hint: hint}
}

// before puts words before an error: what it is about.
func before(words string, e *agent.SourceError) *agent.SourceError {
	return &agent.SourceError{Class: e.Class, Why: words + e.Why, Hint: e.Hint}
}

// useless is how much life a token must have left: with less the agent gives it
// to nobody.
const useless = 2 * time.Second

// settle fills in when m ends, the earliest of what is said about it and of what
// its token says of itself, and refuses it where that is now.
func settle(m *agent.Minted, now time.Time, ends ...time.Time) *agent.SourceError {
	if c, ok := readJWT(m.Secret); ok {
		ends, m.Created = append(ends, c.expires), c.issued
	}
	m.Expiry = ipc.ExpiryUnknown
	for _, end := range ends {
		if !end.IsZero() && (m.Expiry == ipc.ExpiryUnknown || end.Before(m.Expires)) {
			m.Expiry, m.Expires = ipc.ExpiryKnown, end
		}
	}
	switch left := m.Expires.Sub(now); {
	case m.Expiry == ipc.ExpiryUnknown || left >= useless:
		return nil
	case left <= 0:
		return broken("the token expired at "+m.Expires.Local().Format("2006-01-02 15:04:05 MST"), "")
	default:
		return broken("the token lives for "+left.Round(time.Millisecond).String()+" only", "")
	}
}

// clock is now, or the system's where that is nil.
func clock(now func() time.Time) time.Time {
	if now == nil {
		return time.Now()
	}
	return now()
}

// bare reads a token that stands for itself: with white space around it, and
// with none in it.
func bare(text string) (ipc.Secret, *agent.SourceError) {
	const hint = "it has to be one token, and nothing else"
	text = strings.TrimSpace(text)
	switch words := strings.Fields(text); {
	case len(words) == 0:
		return ipc.Secret{}, broken("nothing", "")
	case text[0] == '{':
		return ipc.Secret{}, broken("JSON", hint)
	case strings.ContainsAny(text, "\r\n"):
		return ipc.Secret{}, broken("more than one line", hint)
	case len(words) > 1:
		return ipc.Secret{}, broken("more than one word", hint)
	}
	return sendable(text)
}

// sendable says in our words what agent.CheckToken says to somebody who pastes.
func sendable(text string) (ipc.Secret, *agent.SourceError) {
	token := ipc.NewSecret(text)
	const hint = "a token is printable ASCII, up to 128 KiB, without quotes"
	switch {
	case agent.CheckToken(token) == nil:
		return token, nil
	case text == "":
		return ipc.Secret{}, broken("an empty token", "")
	case len(text) > ipc.MaxPart:
		return ipc.Secret{}, broken("more than a token can have", hint)
	case strings.ContainsAny(text[:1]+text[len(text)-1:], "\"'`"):
		return ipc.Secret{}, broken("a token in quotes", hint)
	}
	return ipc.Secret{}, broken("a token with blanks, control characters or letters beyond ASCII in it", hint)
}
