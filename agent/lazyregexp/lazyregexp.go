// Package lazyregexp compiles regular expressions when they are first used: each start
// of cwagent would pay for all of them, some hundredths of a millisecond each.
package lazyregexp

import (
	"regexp"
	"sync"
)

// New returns what gives expr compiled, and panics then if it is none.
func New(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
