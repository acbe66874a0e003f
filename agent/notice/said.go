package notice

import (
	"time"

	"github.com/cwagent/cwagent/agent/state"
)

// day is how long after a matter was said to a terminal it is said again.
const day = 24 * time.Hour

// Say returns the lines for who works at a terminal: the matters that no screen has
// shown and that were not said for a day. It remembers that they were; where it cannot,
// nothing is said, or it would be said at every command.
func Say(f state.File, matters []Matter, now time.Time) []string {
	had, err := read(f)
	if err != nil {
		return nil
	}
	var fresh []Matter
	for _, m := range matters {
		shown, told := had.Shown[m.Key()]
		ago := now.Sub(had.Said[m.Key()])
		if told && shown.Step <= m.Step || ago >= 0 && ago < day {
			continue
		}
		fresh = append(fresh, m)
	}
	if len(fresh) == 0 {
		return nil
	}
	err = change(f, func(is *form) {
		for key, at := range is.Said {
			if now.Sub(at) > keep {
				delete(is.Said, key)
			}
		}
		for _, m := range fresh {
			is.Said[m.Key()] = now.Round(0)
		}
	})
	if err != nil {
		return nil
	}
	var lines []string
	for _, m := range fresh[:min(len(fresh), most)] {
		lines = append(lines, m.Line())
	}
	if more := len(fresh) - most; more > 0 {
		lines = append(lines, sum(more).Line())
	}
	return lines
}
