package notice

import (
	"strconv"
	"time"

	"github.com/cwagent/cwagent/agent"
)

// A Shown is what is remembered of a notice.
type Shown struct {
	At         time.Time     `json:"at"`
	Step       time.Duration `json:"step,omitempty"`       // of the matter, nanoseconds
	Credential string        `json:"credential,omitempty"` // of the matter
	Summed     bool          `json:"summed,omitempty"`     // it was one of several that came at once, and only counted
	ID         uint32        `json:"id,omitempty"`         // of the server that shows it still; 0: none does
	Unsure     bool          `json:"unsure,omitempty"`     // the server took it, perhaps, and did not say so
}

// A Memory is what was shown, by the key of the matter.
type Memory map[string]Shown

// How many notices there are in which time; what is more is counted in one.
const (
	most   = 3
	minute = time.Minute
)

// keep is how long it is remembered that something was shown which is over.
const keep = 30 * 24 * time.Hour

// A Step is what is to be done now.
type Step struct {
	Show   []Matter  // each by a notice of its own, in the place of what is shown of it
	Summed []Matter  // those that there is no room for: they are counted
	More   int       // how many are counted of late; with Summed
	Over   []string  // keys of notices that are shown and say what is no longer so
	Forget []string  // keys that need not be remembered
	Next   time.Time // when there is something else to do by itself; zero: never
}

// Plan decides what is shown at now of the matters, of which the most urgent stand
// first. unsure says of which credential nothing is known at the moment: what is shown
// of that one stays.
func Plan(matters []Matter, m Memory, unsure func(credential string) bool, now time.Time) (p Step) {
	room := most
	for _, s := range m {
		if recent(s, now) && s.Summed {
			p.More++
		} else if recent(s, now) {
			room--
		}
	}
	there := map[string]bool{}
	for _, x := range matters {
		key := x.Key()
		there[key] = true
		if was, told := m[key]; told && was.Step <= x.Step {
			continue // this, or something more urgent: a clock may have been set back
		}
		switch {
		case now.Before(x.Ready):
			p.Next = agent.Sooner(p.Next, x.Ready)
		case room > 0:
			room--
			p.Show = append(p.Show, x)
		default:
			p.More++
			p.Summed = append(p.Summed, x)
		}
	}
	for key, s := range m {
		if there[key] || s.Credential != "" && unsure(s.Credential) {
			continue
		}
		if s.ID != 0 {
			p.Over = append(p.Over, key)
		}
		if s.Credential == "" || now.Sub(s.At) > keep { // a store that is locked anew is another matter
			p.Forget = append(p.Forget, key)
		}
	}
	return p
}

// recent reports whether s counts among those of the last minute. What was shown in
// the future of a clock that was set back does not.
func recent(s Shown, now time.Time) bool {
	age := now.Sub(s.At)
	return age >= 0 && age < minute
}

// sum is the notice that counts others.
func sum(n int) Matter {
	return Matter{Title: "and " + strconv.Itoa(n) + " more", Body: "cwagent status"}
}
