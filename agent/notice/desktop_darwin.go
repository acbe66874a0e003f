package notice

import (
	"context"
	"fmt"
	"os/exec"
)

// center is the Notification Center, through osascript: a program that is in no bundle
// may not speak to it. There are no buttons, and nothing is taken away again.
type center struct{}

// NewDesktop returns what shows notices here; nil: nothing does. open opens the Console
// and returns at once; here nobody calls it.
func NewDesktop(_ func(string) string, _ func()) Desktop { return center{} }

// Run implements Desktop.
func (center) Run(ctx context.Context, news func()) {
	news()
	<-ctx.Done()
}

// Session implements Desktop.
func (center) Session(context.Context, bool) string { return "osascript" }

// Show implements Desktop. The texts are arguments and not part of the script, so that
// nothing in them is one.
func (center) Show(ctx context.Context, m Matter, _ uint32) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := exec.CommandContext(ctx, "/usr/bin/osascript", "-e", "on run argv",
		"-e", `display notification (item 2 of argv) with title "cwagent" subtitle (item 1 of argv)`,
		"-e", "end run", "--", plain(m.Title), plain(m.Body)).Run()
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: osascript: %w", ErrNotShown, err)
	}
	return 0, err
}

// Close implements Desktop.
func (center) Close(context.Context, uint32) {}
