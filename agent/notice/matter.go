package notice

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cwagent/cwagent/agent/shell"
	"github.com/cwagent/cwagent/ipc"
)

// A Kind says what a matter is about.
type Kind string

// The kinds, the most urgent first.
const (
	Refused  Kind = "refused"
	Ending   Kind = "ending" // or ended
	Locked   Kind = "locked"
	Rotated  Kind = "rotated"
	Absorbed Kind = "absorbed"
)

var kinds = []Kind{Refused, Ending, Locked, Rotated, Absorbed}

// A Matter is something that a person should know.
type Matter struct {
	Kind       Kind
	Credential string        // that it is about; empty: it is about the store
	Token      string        // whose label it is about, or what else tells it from the next of its kind
	Step       time.Duration // Ending: the time left of which it is said; 0: it has ended. Less is another notice
	Title      string        // a line
	Body       string        // sentences, what to do among them
	Urgent     bool          // nothing works until somebody does something
	Console    bool          // the page of tokens in the Console is where that is done
	Ready      time.Time     // it is worth a notice only if it is still there then
}

// Key is the same for a matter whenever it is looked at, and another one for each.
func (m Matter) Key() string {
	return strings.Join([]string{string(m.Kind), m.Credential, m.Token}, " ")
}

// Line is a matter in a line.
func (m Matter) Line() string { return m.Title + ": " + m.Body }

// news is how long it is worth a notice that something has happened which asks for
// little.
const news = 24 * time.Hour

// Look reads off a status what there is to say at now, the most urgent first, and
// when there may be something else by itself; zero: never. steps are the times left
// at which an end is told, longest first; none is never, before it has come.
func Look(s ipc.Status, steps []time.Duration, now time.Time) (matters []Matter, next time.Time) {
	soonest := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if s.Agent.Locked != nil {
		return nil, time.Time{} // a person did that, and knows
	}
	for _, c := range s.Credentials {
		if c.State == ipc.StateRefused {
			matters = append(matters, refused(c))
		} else if m, at, ok := ending(c, steps, now); ok {
			matters = append(matters, m)
			soonest(at)
		} else {
			soonest(at)
		}
		if m, until, ok := rotated(c, now); ok {
			matters = append(matters, m)
			soonest(until)
		}
	}
	if m, ok := locked(s); ok {
		matters = append(matters, m)
	}
	for _, w := range s.Watched {
		if until := w.At.Add(news); w.State == ipc.WatchAbsorbed && now.Before(until) {
			matters = append(matters, absorbed(w))
			soonest(until)
		}
	}
	slices.SortStableFunc(matters, func(a, b Matter) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Step, b.Step))
	})
	return matters, next
}

func refused(c ipc.Credential) Matter {
	return Matter{
		Kind: Refused, Credential: c.Name, Token: c.Label, Urgent: true, Console: fromConsole(c),
		Title: c.Name + " is refused", Body: sentence(c.Reason) + " " + renew(c),
	}
}

// ending is about the token of c that ends last, if no program gets the next one. at is
// when there is something else to say.
func ending(c ipc.Credential, steps []time.Duration, now time.Time) (m Matter, at time.Time, ok bool) {
	label, born, end := lastEnd(c)
	if end.IsZero() || c.State == ipc.StateEmpty {
		return m, at, false
	}
	left := end.Sub(now)
	// A source that works gets the next token, and is nobody's business.
	fails := c.Renewal != nil && c.Renewal.Error != "" && c.State == ipc.StateDue
	if unattended(c) && !fails && left > 0 {
		return m, end, false
	}
	step, following := stepAt(counting(steps, end.Sub(born)), left)
	if at = end.Add(-following); left <= 0 {
		at = time.Time{}
	}
	if step < 0 {
		return m, at, false
	}
	m = Matter{Kind: Ending, Credential: c.Name, Token: label, Step: step, Console: fromConsole(c)}
	when := end.Local().Format("2006-01-02 15:04 MST")
	if left <= 0 {
		m.Title, m.Body, m.Urgent = c.Name+" has expired", "Its token ended at "+when+". "+renew(c), true
	} else {
		m.Title, m.Body = c.Name+" expires in "+words(left), "Its token ends at "+when+". "+renew(c)
	}
	return m, at, true
}

// lastEnd is that of the current and the standby tokens which ends last; no end, if one
// of them is not known to end.
func lastEnd(c ipc.Credential) (label string, born, end time.Time) {
	if c.Expiry != ipc.ExpiryKnown || c.Expires == nil {
		return "", born, end
	}
	label, born, end = c.Label, c.Added, *c.Expires
	if c.Created != nil && c.Created.Before(born) {
		born = *c.Created
	}
	for _, t := range c.Standby {
		switch {
		case t.Refused != "":
		case t.Expiry != ipc.ExpiryKnown || t.Expires == nil:
			return "", born, time.Time{}
		case t.Expires.After(end):
			label, end = t.Label, *t.Expires
		}
	}
	return label, born, end
}

// counting are those of steps that are at most a quarter of a lifetime, as
// cwagent-config(5) says; of a token that lives for less than four of the shortest step,
// that quarter.
func counting(steps []time.Duration, lifetime time.Duration) []time.Duration {
	for i, step := range steps {
		if step <= lifetime/4 {
			return steps[i:]
		}
	}
	if len(steps) == 0 {
		return nil
	}
	return []time.Duration{lifetime / 4}
}

// stepAt is the step at which a token with that much left is, -1 if at none yet, and
// the step that follows. The end is the last one.
func stepAt(steps []time.Duration, left time.Duration) (step, following time.Duration) {
	step = -1
	for _, s := range steps {
		if left > s {
			return step, s
		}
		step = s
	}
	if left > 0 {
		return step, 0
	}
	return 0, 0
}

// rotated is said where something is left to do: routine is no news.
func rotated(c ipc.Credential, now time.Time) (m Matter, until time.Time, ok bool) {
	if len(c.Retiring) == 0 {
		return m, until, false
	}
	was := c.Retiring[0]
	until = was.Since.Add(news)
	if !was.Delete || was.Refused != "" || !now.Before(until) {
		return m, until, false
	}
	old := was.Label
	if was.ID != "" {
		old = was.ID
	}
	return Matter{
		Kind: Rotated, Credential: c.Name, Token: c.Label, Console: true, Title: c.Name + " has another token",
		Body: "The one before is alive until it is deleted in the Console. Delete " + old + " there, then: cwagent retired --done " + strings.TrimPrefix(old, "#"), // a shell would take that for a comment
	}, until, true
}

// locked is about a store that gives nothing while a token in it is wanted. One that is
// being read gives nothing yet, and has no trouble.
func locked(s ipc.Status) (Matter, bool) {
	var names []string
	reason := ""
	for _, c := range s.Credentials {
		if c.State == ipc.StateLocked {
			names, reason = append(names, c.Name), c.Reason
		}
	}
	if len(names) == 0 || s.Store.Trouble == "" {
		return Matter{}, false
	}
	who := names[0]
	if len(names) > 1 {
		who += " and " + strconv.Itoa(len(names)-1) + " more"
	}
	return Matter{
		Kind: Locked, Title: who + " cannot be given out",
		Body: sentence(reason) + " cwagent unlock opens what is locked, and cwagent status says more",
	}, true
}

func absorbed(w ipc.Watch) Matter {
	m := Matter{
		Kind: Absorbed, Credential: w.Credential, Token: strings.Join([]string{w.Path, w.User, w.At.UTC().Format(time.RFC3339)}, " "),
		Title: "A token was taken out of a file", Body: w.Path + " held one in clear. It is kept for " + w.Credential + " now.",
	}
	if w.Why != "" {
		m.Body += " " + sentence(w.Why)
	}
	if w.Hint != "" {
		m.Body += " " + w.Hint
	}
	return m
}

// unattended reports whether a program gets the next token of c.
func unattended(c ipc.Credential) bool { return c.Source != "console" && c.Source != "standby" }

// fromConsole reports whether a person makes the next token of c in the Console: only
// API Access Tokens have an owner whom CoreWeave knows.
func fromConsole(c ipc.Credential) bool { return !unattended(c) && c.Identity.User == "" }

// renew says how c gets its next token.
func renew(c ipc.Credential) string {
	name := shell.Word(c.Name)
	switch {
	case unattended(c):
		return "Its source gives no other one: cwagent status " + name
	case fromConsole(c):
		return "Make a new one in the Console, then: cwagent rotate " + name
	}
	return "With a new one: cwagent rotate " + name
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(s[n:], ".") + "."
}

// words write a span as a person says it, in its largest unit. A fiftieth is let pass:
// a timer that comes a moment late makes no "13 days" of 14.
func words(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		switch n := int((d + d/50) / u.of); n {
		case 0:
		case 1:
			return "1 " + u.name
		default:
			return strconv.Itoa(n) + " " + u.name + "s"
		}
	}
	return "a moment"
}
