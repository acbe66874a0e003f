package notice

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
)

// A Desktop is what shows notices to who is in front of a screen.
type Desktop interface {
	// Run is connected until ctx ends, and calls news whenever somebody may be there
	// by now who shows notices. Who presses a button is served meanwhile.
	Run(ctx context.Context, news func())

	// Session names who shows notices: the numbers of another one mean nothing. It is
	// empty if nobody does. With start, somebody who can is started.
	Session(ctx context.Context, start bool) string

	// Show shows m, in the place of the notice of that number unless it is 0, and
	// returns its own. ErrNotShown: it is not, and will not be.
	Show(ctx context.Context, m Matter, instead uint32) (id uint32, err error)

	// Close takes a notice away. One that is gone is no error.
	Close(ctx context.Context, id uint32)
}

// ErrNotShown is what a Desktop says where it is sure. Any other error leaves open
// whether the notice is seen, now or when what hangs goes on.
var ErrNotShown = errors.New("the notice is not shown")

// answerTime is how long a server of notices may take for an answer. It draws a window.
const answerTime = 2 * time.Second

// longest is the most characters of a text: what a server says may be long.
const longest = 400

// plain is s without what could make it look like something else: control characters,
// and those that turn the direction of writing.
func plain(s string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s))
	if len(runes) > longest {
		return string(runes[:longest]) + "..."
	}
	return string(runes)
}

// unmarked is s for a server that takes the body for markup.
func unmarked(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
