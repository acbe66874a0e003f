package config

import (
	"strconv"
	"time"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

var days = lazyregexp.New(`^([0-9]{1,5})([dwy])$`)

// ParseDuration reads a positive duration: as Go's, or in days, weeks or years
// of 365 days. A century is the most: beyond it the arithmetic would overflow.
func ParseDuration(s string) (time.Duration, bool) {
	const day = 24 * time.Hour
	const century = 100 * 365 * day
	m := days().FindStringSubmatch(s)
	if m == nil {
		d, err := time.ParseDuration(s)
		return d, err == nil && d > 0 && d <= century
	}
	unit := map[string]time.Duration{"d": day, "w": 7 * day, "y": 365 * day}[m[2]]
	n, _ := strconv.Atoi(m[1])
	if n == 0 || n > int(century/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
